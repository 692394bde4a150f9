"""Takes a mail through reading, policy and rewrite as the flow does, but in this process and without a store."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay.core.identify import Writer
from relay.core.mail import head, mime
from relay.core.mail.mime import Part
from relay.core.model.party import Role
from relay.core.model.verdict import Verdict
from relay.core.policy.decide import decide
from relay.core.rewrite.assemble import assemble
from relay.core.rewrite.plan import Cutout, FooterLine, Plan, Rewritten
from relay.core.rewrite.rewrite import rewrite
from tests.support.mail_case import MailCase

INPUTS: Final = Path(__file__).parent.parent / "real_mail"
BUYER: Final = "hanako.yamada@phone.example"
SELLER: Final = "shop-owner@pottery.example"
BUYER_ALIAS: Final = "7kq2m5x4tn3wd6pa@market.example"
SELLER_ALIAS: Final = "abcdefghijklmnop@market.example"
FOOTER_MARK: Final = ".:----"
_ALIASES: Final = {Role.BUYER: BUYER_ALIAS, Role.SELLER: SELLER_ALIAS}
_FOOTER: Final = (FooterLine("注文 1234", ""), FooterLine("報告する", "https://market.example/l/report"))
_LINE_END: Final = re.compile(rb"\r?\n")


class Passed(NamedTuple):
    """A mail that was read, judged and rewritten. `out` is the mail that leaves, without the fields of dispatch."""

    root: Part
    head: head.Head
    verdict: Verdict
    rewritten: Rewritten
    out: bytes

    @property
    def codes(self) -> set[str]:
        """The codes of all reasons and warnings."""
        return {str(reason.code) for reason in (*self.verdict.reasons, *self.verdict.warnings)}


def stored(name: str) -> bytes:
    """Returns a mail of `tests/real_mail`, with CRLF at each line end."""
    (path,) = INPUTS.glob(f"{name}*.eml")
    return crlf(path.read_bytes())


def crlf(content: bytes) -> bytes:
    return _LINE_END.sub(b"\r\n", content)


def pass_on(content: bytes, *, footer: bool = True, strip_signatures: bool = True, **case: Any) -> Passed:
    """Returns the mail after all steps; it is rewritten whatever the verdict is. `case` is as in `MailCase`.

    Raises MimeError and HeadError as the reading does.
    """
    root = mime.split(content, mime.MimeLimits())
    read = head.read_head(content, root)
    to = Role.BUYER if read.from_address == SELLER else Role.SELLER
    judged = MailCase(raw=content, to=to, from_address=read.from_address, **case)
    judged.head, judged.incoming = read, replace(judged.incoming, content=content)
    writer = judged.writer()
    assert isinstance(writer, Writer), writer
    verdict = decide(judged.incoming, read, root, judged.facts, writer, judged.policy, judged.now)
    plan = replace(plan_to(to, footer=footer), cutouts=_cutouts(verdict), strip_signatures=strip_signatures)
    rewritten = rewrite(content, root, plan)
    return Passed(root, read, verdict, rewritten, assemble(content, root.body_start, rewritten.header, rewritten.edits))


def plan_to(to: Role, *, footer: bool) -> Plan:
    """Returns a plan for mail to the party with this role."""
    return Plan(
        domain="market.example",
        from_address=_ALIASES[to.other],
        from_name="Ichiba",
        disguise={BUYER: BUYER_ALIAS, SELLER: SELLER_ALIAS},
        message_id="m1@market.example",
        thread_ids={},
        thread_key=b"k" * 32,
        hidden_hosts=frozenset({"pc-77.phone.example"}),
        footer=_FOOTER if footer else (),
        language="ja",
        link_prefix="https://market.example/l/",
    )


def _cutouts(verdict: Verdict) -> tuple[Cutout, ...]:
    return tuple(Cutout(strip.part, strip.start, strip.end, f"[{strip.name} removed]") for strip in verdict.strips)
