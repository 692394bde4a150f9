"""`relay simulate`: what the relay would do with a mail, without doing it (R-POL-01)."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, BinaryIO, NoReturn

import click

from relay import app, flow
from relay.cli import show
from relay.cli.context import CliContext, MailAddress, with_store
from relay.core.mail.address import fold_domain
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.party import Role
from relay.core.model.reason import Reason
from relay.core.model.verdict import Verdict
from relay.core.rewrite.assemble import assemble
from relay.edge import scan
from relay.edge.smtp_in.guard import client_address
from relay.edge.system import SystemClock
from relay.ports import Store
from relay.steps.judgement import RecipientResult, Refusal, TransactionResult
from relay.steps.services import Services


class IpAddress(click.ParamType[str]):
    name = "ip"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(client_address(value))
        except ValueError:
            self.fail("not an IP address", param, ctx)


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--from", "mail_from", required=True, metavar="ADDRESS", help='MAIL FROM; "" for the null sender.')
@click.option("--to", "rcpt_to", required=True, multiple=True, type=MailAddress(), help="RCPT TO; may be repeated.")
@click.option(
    "--login", metavar="REF", help="Write as this party by AUTH on a submission port, instead of the MX port."
)
@click.option("--client-ip", default="127.0.0.1", show_default=True, type=IpAddress(), help="Who connects; SPF asks.")
@click.option("--helo", default="localhost", show_default=True, metavar="NAME", help="The client's name for itself.")
@click.option("--trusted", is_flag=True, help="As from a client in networks.trusted.")
@show.as_json
@with_store
async def simulate(
    session: CliContext,
    store: Store,
    *,
    file: BinaryIO,
    mail_from: str,
    rcpt_to: tuple[str, ...],
    login: str | None,
    client_ip: str,
    helo: str,
    trusted: bool,
    as_json: bool,
) -> None:
    """Judge and rewrite the mail in FILE (- for standard input) as if it came in now, and change nothing.

    DNS and scanners are asked, as the configuration tells. Prints verdict, reasons and SMTP answer per recipient, and
    the mail as it would be relayed, before it is signed.
    """
    if mail_from not in {"", "<>"}:
        MailAddress().convert(mail_from, None, None)
    shop = _marketplace(session, rcpt_to)
    incoming = Incoming(
        peer=Peer(
            port=Port.SUBMISSION if login else Port.MX,
            client_ip=client_ip,
            helo=helo,
            tls=True,
            login_party_id=await _login(store, shop, login) if login else None,
            trusted=trusted,
        ),
        mail_from=mail_from.strip("<>"),
        rcpt_to=rcpt_to,
        smtputf8=not (mail_from + "".join(rcpt_to)).isascii(),
        # A saved mail has the line ends of its file system.
        content=re.sub(rb"\r?\n", b"\r\n", file.read()),
        received_at=SystemClock().now(),
    )
    async with _services(session, store) as services:
        judgement = await flow.judge(services, incoming)
    found = [_described(judged, judgement, incoming.content) for judged in judgement.judged]
    if as_json:
        show.rows(found, as_json=True)
        return
    for one in found:
        relayed = one.pop("relayed")
        show.one(one, as_json=False)
        if relayed is not None:
            click.echo(f"\n{relayed}")


def _marketplace(session: CliContext, rcpt_to: tuple[str, ...]) -> Marketplace:
    """That of the recipients; the relay refuses all others at RCPT (R-ADR-08)."""
    by_domain = {domain: one for one in session.marketplaces for domain in one.domains}
    found = [by_domain.get(fold_domain(address.rpartition("@")[2])) for address in rcpt_to]
    shop = found[0]
    if shop is None or None in found:
        raise click.UsageError("--to: not at an alias domain of any marketplace; the relay would refuse it at RCPT")
    if any(one is not shop for one in found):
        raise click.UsageError("--to: recipients of one marketplace at a time")
    return shop


async def _login(store: Store, shop: Marketplace, ref: str) -> str:
    for role in (Role.SELLER, Role.BUYER):
        if party := await store.party(shop.id, role, ref):
            return party.id
    raise click.ClickException(f'{shop.id} has no party "{ref}"')


class _Uncounted:
    """An observer for what happens only in a simulation."""

    def count(self, metric: str, **labels: str) -> None: ...

    def duration_s(self, metric: str, seconds: float) -> None: ...


class _OutOfReach:
    """Stands where a simulation never goes: what sends and signs."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(f"a simulation reached for {name}")


@asynccontextmanager
async def _services(session: CliContext, store: Store) -> AsyncIterator[Services]:
    out_of_reach: Any = _OutOfReach()
    observer = _Uncounted()
    async with AsyncExitStack() as stack:
        scanners = scan.scanners(session.config.scanner, data_dir=session.data_dir, observer=observer)
        for scanner in scanners:
            stack.push_async_callback(scanner.close)
        yield app.services(
            session.config,
            store,
            clock=SystemClock(),
            observer=observer,
            courier=out_of_reach,
            signer=out_of_reach,
            dispatcher=out_of_reach,
            scanners=scanners,
            web_port=session.config.web.port,
        )


def _described(judged: RecipientResult, judgement: TransactionResult, content: bytes) -> dict[str, object]:
    outcome = judged.outcome
    described: dict[str, object] = {
        "to": judged.target.address,
        "verdict": _verdict(judged),
        "smtp_answer": str(flow.reply(judged, judgement)),
    }
    if isinstance(outcome, Verdict):
        described |= {
            "reasons": [_reason(reason) for reason in outcome.reasons],
            "kind": str(outcome.kind),
            "notice": outcome.notify,
            "policy_version": outcome.policy_version,
        }
    elif isinstance(outcome, Refusal):
        described["reasons"] = [_reason(outcome.reason)]
    rewritten, relayed = judged.rewritten, None
    if rewritten and judgement.mail:
        body_start = judgement.mail.root.body_start
        relayed = assemble(content, body_start, rewritten.header, rewritten.edits).decode("utf-8", "backslashreplace")
        described["changes"] = [f"{one.what} in {one.where or 'the body'}: {one.why}" for one in rewritten.changes]
    return described | {"relayed": relayed}


def _verdict(judged: RecipientResult) -> str:
    match judged.outcome:
        case Verdict(action=action):
            return str(action)
        case Refusal():
            return "refuse"
        case _:
            return "merged with another recipient" if judged.merged_into else "to the operator"


def _reason(reason: Reason) -> str:
    span = f" at {reason.span.part}:{reason.span.start}-{reason.span.end}" if reason.span else ""
    return f"{reason.code}{span}"
