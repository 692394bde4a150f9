"""Whole messages go through all passes, and the results are compared with files.

`RELAY_UPDATE=1 pytest tests/core/test_rewrite_golden.py` writes the `.out.eml` files again; look at the difference
before committing it.

Files have LF line ends and are read as mail with CRLF. `NN-name.eml` comes in, `.toml` is the plan, and its `about`
says why the case exists; `.out.eml` goes out (without signature).
"""

import os
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.core.mail import mime
from relay.core.rewrite import assemble, compose
from relay.core.rewrite.plan import Cutout, FooterLine, Plan
from relay.core.rewrite.rewrite import rewrite

FOLDER = Path(__file__).parent.parent / "golden" / "rewrite"
CASES = sorted(path.stem for path in FOLDER.glob("*.toml"))
AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes().replace(b"\n", b"\r\n")


def settings_of(case: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{case}.toml").read_text("utf-8"))


def plan_of(case: str) -> Plan:
    given = settings_of(case)
    return Plan(
        domain="market.example",
        from_address=given["from_address"],
        from_name=given.get("from_name", ""),
        disguise=given["disguise"],
        message_id="out@market.example",
        thread_ids=given.get("thread_ids", {}),
        thread_key=b"golden key",
        hidden_hosts=frozenset(given.get("hidden_hosts", [])),
        cutouts=tuple(
            Cutout(one["path"], one.get("start"), one.get("end"), one["placeholder"])
            for one in given.get("cutouts", [])
        ),
        footer=tuple(FooterLine(one["text"], one.get("url", "")) for one in given.get("footer", [])),
        language=given.get("language", "en"),
        unsubscribe=given.get("unsubscribe", ""),
        link_prefix="https://relay.market.example/l/",
        strip_images=True,
        strip_documents=True,
        strip_signatures=given.get("strip_signatures", False),
    )


def relayed(case: str) -> bytes:
    content = read(f"{case}.eml")
    root = mime.split(content, mime.MimeLimits())
    rewritten = rewrite(content, root, plan_of(case))
    body = assemble.section(content, root.body_start, len(content), rewritten.edits)
    trace = compose.received(by="mx.market.example", protocol="ESMTPS", record_id="a" * 26, at=AT)
    header = compose.header(rewritten.header, to="to@other.example", received=trace, at=AT)
    return header + b"\r\n" + body


@pytest.mark.parametrize("case", CASES)
def test_relayed_form_is_as_recorded(case: str) -> None:  # R-REW-01 R-REW-02 R-REW-03 R-REW-04 R-REW-06 R-REW-09
    sent = relayed(case)
    if os.environ.get("RELAY_UPDATE"):
        (FOLDER / f"{case}.out.eml").write_bytes(sent.replace(b"\r\n", b"\n"))
    assert sent == read(f"{case}.out.eml")
    assert settings_of(case)["about"].strip()


@pytest.mark.parametrize("case", CASES)
def test_no_secret_of_the_plan_is_left(case: str) -> None:  # R-REW-01
    plan = plan_of(case)
    sent = relayed(case).lower()
    root = mime.split(sent, mime.MimeLimits())
    texts = [mime.field_text(sent, field).lower() for part in root.walk() for field in part.fields]
    for secret in (*plan.disguise, *plan.hidden_hosts):
        assert secret.encode() not in sent.replace(b"=\r\n", b"")
        assert not any(secret in text for text in texts)


def test_there_are_cases() -> None:
    assert len(CASES) >= 8
