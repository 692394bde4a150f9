"""All passes together over hostile mail: whatever comes in, something valid goes out."""

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.rewrite import assemble
from relay.core.rewrite.longlines import has_long_line
from relay.core.rewrite.plan import Plan
from relay.core.rewrite.rewrite import rewrite

PLAN = Plan(
    domain="market.example",
    from_address="alias-b@market.example",
    from_name="Alice",
    disguise={"alice@private.example": "alias-b@market.example"},
    message_id="out@market.example",
    thread_ids={},
    thread_key=b"k",
    hidden_hosts=frozenset({"client.private.example"}),
)
SECRET = b"alice@private.example"
_LINES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/mixed; boundary=client.private.example",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/html; charset=utf-8",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: 8bit",
        b"Content-ID: <1@client.private.example>",
        b"Received: from client.private.example ([192.0.2.77]) by x",
        b"Subject: =?utf-8?q?a_alice=40private.example?=",
        b"Subject: " + SECRET + b" \xe9\x87\x8d",
        b"References: <1@client.private.example>",
        b" folded " + SECRET,
        b"no field " + SECRET,
        b"--b",
        b"--b--",
        b"--client.private.example",
        b"--client.private.example--",
        SECRET,
        b"word " * 300 + SECRET,
        b"x" * 1_100,
        b"YWxpY2VAcHJpdmF0ZS5leGFtcGxl" * 40,
        b"",
        b"",
        b"",
    ]
)


@settings(deadline=None)
@given(st.lists(_LINES, max_size=30).map(b"\r\n".join))
def test_hostile_mail_leaves_valid_and_without_the_secret(content: bytes) -> None:  # R-REW-01 R-REW-10 R-IN-06
    try:
        root = mime.split(content, mime.MimeLimits())
    except mime.MimeError:
        reject()  # too many lines without a field
    rewritten = rewrite(content, root, PLAN)
    sent = assemble.assemble(content, root.body_start, rewritten.header, rewritten.edits)
    assert not has_long_line(sent)
    assert SECRET not in sent.replace(b"=\r\n", b"")
    header = sent[: mime.body_start(sent)]
    assert header.isascii()
    names = [field.name for field in mime.split(header, mime.MimeLimits()).fields]
    assert all(names)
    assert len(names) == len(set(names) - {"x-relay-loop"}) + names.count("x-relay-loop")
    assert names.count("from") == names.count("message-id") == names.count("mime-version") == 1
