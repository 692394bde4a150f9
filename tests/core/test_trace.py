"""The names of machines are hidden in ordinary mail of the usual providers, and nothing else is changed."""

from dataclasses import replace

import pytest

from relay.core.mail import mime
from relay.core.model.party import Role
from relay.core.rewrite.assemble import assemble
from relay.core.rewrite.plan import Plan
from relay.core.rewrite.rewrite import rewrite
from relay.core.rewrite.scrub.public_services import is_public
from tests.support.leak_reader import found
from tests.support.mail_traces import TRACES, Trace
from tests.support.ordinary_mail import mail_that_names, ordinary_mails, shown
from tests.support.real_mail import pass_on, plan_to, stored

MAILS = tuple(ordinary_mails())


def plan_for(trace: Trace) -> Plan:
    return replace(
        plan_to(Role.SELLER, footer=False),
        hidden_hosts=frozenset({trace.helo, trace.client_ip}),
        strip_documents=False,
        hidden_names={},
    )


def relayed(content: bytes, plan: Plan) -> bytes:
    root = mime.split(content, mime.MimeLimits())
    result = rewrite(content, root, plan)
    return assemble(content, root.body_start, result.header, result.edits)


def test_there_are_enough_ordinary_mails() -> None:
    assert len(MAILS) >= 500
    assert len(TRACES) >= 20


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.provider)
def test_no_word_name_or_file_name_of_ordinary_mail_is_changed(trace: Trace) -> None:  # R-REW-01, R-REW-04
    for mail in MAILS:
        if mail.trace is trace:
            outgoing = relayed(mail.content, plan_for(trace))
            assert shown(outgoing) == shown(mail.content), mail.words.subject


FORMS = (
    "It came by {} yesterday.",
    "Received: from {} (unknown) by x",
    "https://{}/care?id=1",
    "<{}>",
    "mail to a@{} please",
    "「{}」からです",
)


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.provider)
def test_no_name_of_a_machine_or_a_private_domain_passes(trace: Trace) -> None:  # R-REW-01
    for name in (*trace.identifying, trace.helo if "." in trace.helo and not is_public(trace.helo) else ""):
        for form in FORMS if name else ():
            content = mail_that_names(trace, form.format(name) + "\r\n")
            assert found(content, [name.lower()])
            assert found(relayed(content, plan_for(trace)), [name.lower()]) == set(), (name, form)


@pytest.mark.parametrize(
    ("name", "label"),
    [("SendGrid", "NDUzMjk0NDA"), ("SendGrid", "geopod-ismtpd-26"), ("Sendmail, with a desktop", "DESKTOP-7Q2K9AB")],
)
def test_a_machine_without_a_domain_does_not_pass_where_programs_write_it(name: str, label: str) -> None:  # R-REW-01
    trace = next(trace for trace in TRACES if trace.provider == name)
    for form in (f"Received: from {label} (unknown)", f"<1@{label}>", f"\\\\{label}\\share", f"file://{label}/a"):
        assert found(relayed(mail_that_names(trace, form), plan_for(trace)), [label.lower()]) == set()


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("gmail.com", True),
        ("mail.google.com", True),
        ("smtp.mail.yahoo.com", True),
        ("github.com", True),
        ("mail-yw1-f173.google.com", False),
        ("pottery.myshopify.com", False),
        ("pottery.zendesk.com", False),
        ("p7041-ipbf12.tokyo.ocn.ne.jp", False),
        ("mail.pottery.example", False),
        ("notgmail.com", False),
        ("com", False),
        ("", False),
    ],
)
def test_a_host_is_public_if_it_is_a_service_or_its_usual_server(host: str, answer: bool) -> None:  # R-REW-01
    assert is_public(host) is answer


@pytest.mark.parametrize("name", ["c01", "c02", "c34"])
def test_real_mail_keeps_the_words_that_a_trace_names(name: str) -> None:  # R-REW-01
    content = stored(name)
    assert shown(pass_on(content, footer=False).out) == shown(content)


def test_real_mail_keeps_a_file_name_that_is_a_content_id_too() -> None:  # R-REW-01
    passed = pass_on(stored("c04"), footer=False)
    _, [text], names = shown(passed.out)
    assert names == ["broken.png"]
    assert text.startswith('<p>See broken.png: <img src="cid:')


def test_real_mail_loses_a_link_to_the_writers_own_site_whole() -> None:  # R-REW-01, R-REW-08
    passed = pass_on(stored("c05"), footer=False)
    _, [text], _ = shown(passed.out)
    assert text == "<p>How to wash it: [link removed]care</a></p>\n"
    assert passed.rewritten.has_removed_link
