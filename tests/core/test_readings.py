"""What policy judges, what scrubbing searches and where own links are looked for is one reading of the text."""

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.core.identify import Writer
from relay.core.mail import layers
from relay.core.mail.layers import BLOCKS, ENTITIES, FOLDED, Layer
from relay.core.mail.mime import MimeLimits, split
from relay.core.mail.origin import origin_of
from relay.core.mail.readings import HTML, PLAIN, Reading, readings
from relay.core.model.reason import ReasonCode
from relay.core.own_links import own_links
from relay.core.policy.case import Case
from relay.core.policy.content import of_text, reading
from tests.support import scrubbing
from tests.support.mail_builder import mail
from tests.support.mail_case import MailCase

ALL = {name: value for name, value in vars(layers).items() if isinstance(value, Layer)}
PIECES = [
    *(
        "shop",
        "@",
        ".",
        "example",
        "漢字",
        "かな",
        " ",
        "\r\n",
        "1",
        "é",
        "。a",
        "<",
        ">",
        '"',
        "=",
        "/",
        "\\u0040",
        "%40",
    ),
    *("<b>", "</b>", "<b title='x>y'>", "<o:p>", "</o:p>", "<p>", "</p>", "<br>", "<td class=a>", "<div\n>", "</div>"),
    *(
        "<!-- c -->",
        "<!-->",
        "<style>p{x:y}</style>",
        "<STYLE a=b>",
        "</style >",
        "<script>",
        "</script>",
        "<template>",
    ),
    *("&#64;", "&#x40;", "&commat;", "&nbsp;", "&#8203;", "&shy;", "&lt;b&gt;", "&Ntilde;", "&fjlig;", "&zwnj;"),
    *(
        "ｓ",
        "＠",
        "．",
        "！",
        "\u200b",
        "\u00ad",
        "\ufe0f",
        "\x01",
        "\u3000",
        "\u00a0",
        "ﬁ",
        "𝐬",
        "\U000e0041",
        "㎏",
        "\ud800",
    ),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def case_of(*, text: str | None = None, html: str | None = None) -> Case:
    letter = MailCase(raw=mail(text=text, html=html))
    writer = letter.writer()
    assert isinstance(writer, Writer)
    return Case(
        incoming=letter.incoming,
        head=letter.head,
        root=split(letter.incoming.content, MimeLimits()),
        facts=letter.facts,
        writer=writer,
        policy=letter.policy,
        now=letter.now,
    )


def scrubbed_reading(html: str) -> str:
    """The text in one of the ways in which scrubbing searches HTML."""
    way = (BLOCKS, ENTITIES, FOLDED)
    assert way in HTML
    read = Reading(html)
    for layer in way:
        read.through(layer)
    return read.text


def in_one_line(text: str) -> str:
    """Without what sets blocks apart, and without the spaces that the two do not tell apart alike."""
    return re.sub(r"[\s\u00a0\u3000]", "", text)


@pytest.mark.parametrize("name", ALL)
@given(text=TEXTS)
@example(text="｡。a｡。")
def test_a_layer_reads_what_its_pattern_says_and_leads_back_alike(name: str, text: str) -> None:
    layer = ALL[name]
    said = layer.pattern.sub(layer.value, text)
    if layer.sign(text):
        assert layer.read(text) == said
    else:
        assert said == text
    read = Reading(text)
    if read.through(layer) and said:
        exact = origin_of(layer.pattern, layer.value, text)
        assert [read.span(at, at + 1) for at in range(len(said))] == [exact.span(at, at + 1) for at in range(len(said))]


@given(text=TEXTS)
def test_policy_judges_what_scrubbing_reads_in_html(text: str) -> None:
    source = f"<p>{text}</p>".encode("utf-8", "replace").decode()
    *_, judged = reading.read(case_of(html=source))
    assert in_one_line(judged.view) == in_one_line(scrubbed_reading(judged.source))


@given(text=TEXTS)
def test_policy_judges_what_scrubbing_reads_in_plain_text(text: str) -> None:
    *_, judged = reading.read(case_of(text=text.encode("utf-8", "replace").decode()))
    assert in_one_line(judged.view) == in_one_line(FOLDED.read(judged.source))


@given(text=TEXTS, at=st.integers(0, 100), length=st.integers(1, 9))
def test_each_span_of_each_reading_is_led_back_into_the_source(text: str, at: int, length: int) -> None:
    for each in readings(text, HTML):
        if at < len(each.text):
            start, end = each.span(at, min(len(each.text), at + length))
            assert 0 <= start < end <= len(text)


DISGUISES: dict[str, Callable[[str], str]] = {
    "a tag inside": lambda word: f"{word[:4]}<b></b>{word[4:]}",
    "a tag that no standard knows": lambda word: f"{word[:4]}<o:p></o:p>{word[4:]}",
    "a value with an angle bracket": lambda word: f"{word[:4]}<i title='a>b'></i>{word[4:]}",
    "a comment": lambda word: f"{word[:4]}<!-- > -->{word[4:]}",
    "a style sheet": lambda word: f"{word[:4]}<style>p > b {{color: red}}</style>{word[4:]}",
    "a long style sheet": lambda word: f"{word[:4]}<style>{'p {color: red} ' * 99}</style>{word[4:]}",
    "entities": lambda word: "".join(f"&#{ord(char)};" for char in word),
    "entities without an end": lambda word: word.replace("e", "&#x65").replace("o", "&#111"),
    "named entities": lambda word: word.replace(".", "&period;").replace("@", "&commat;").replace("/", "&sol;"),
    "full width": lambda word: "".join(chr(ord(char) + 0xFEE0) for char in word),
    "a soft hyphen": lambda word: f"{word[:4]}\u00ad{word[4:]}",
    "a joiner as an entity": lambda word: f"{word[:4]}&#8205;{word[4:]}",
    "a character of the tags' plane": lambda word: f"{word[:4]}\U000e0041{word[4:]}",
    "a control character": lambda word: f"{word[:4]}\x02{word[4:]}",
    "letters of mathematics": lambda word: "".join(
        chr(0x1D41A + ord(char) - ord("a")) if "a" <= char <= "z" else char for char in word
    ),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_what_one_reader_sees_through_the_others_do_too(disguise: str) -> None:
    hide = DISGUISES[disguise]
    html = f"<html><body><p>Write to {hide(scrubbing.BUYER)} please</p></body></html>"
    head = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    content = (head + html).encode()
    view = scrubbed_reading(scrubbing.scrubbed(content).decode("utf-8"))
    assert scrubbing.BUYER_ALIAS in view
    assert scrubbing.BUYER not in view

    found = {finding.reason.code for finding in of_text(case_of(html=html))}
    assert found & {ReasonCode.CONTACT_DATA, ReasonCode.CONTACT_DISGUISED}

    link = f"https://relay.example/l/{'a1B2' * 30}"
    [gone] = own_links("https://relay.example/l/").find(f"<p>{hide(link)}</p>", is_html=True)
    assert (gone.start, gone.end) == (3, 3 + len(hide(link)))


def test_a_way_that_its_first_layer_does_not_change_is_not_read() -> None:
    assert [each.text for each in readings("a&amp;b", PLAIN)] == ["a&b"]
    assert [each.text for each in readings("plain", HTML)] == []
