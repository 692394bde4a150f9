"""Defines `relay simulate`, which shows what the relay would do with a mail, but changes nothing (R-POL-01)."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, BinaryIO, NoReturn, assert_never

import click

from relay import app, flow
from relay.cli import show
from relay.cli.context import CliContext, MailAddress, with_store
from relay.core.mail.address import fold_domain
from relay.core.model.kind import Evidence
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.party import Role
from relay.core.model.reason import Reason
from relay.core.rewrite.assemble import assemble
from relay.edge import scan
from relay.edge.clients import ClientNetworks, client_address
from relay.edge.system import SystemClock
from relay.ports import Store
from relay.steps.offload import ThreadWorkers
from relay.steps.outcomes import (
    Checked,
    Duplicate,
    ForOperator,
    Held,
    Judgement,
    Merged,
    RecipientResult,
    Refused,
    Relayed,
    Rerouted,
    Returned,
    TransactionResult,
)
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
@click.option(
    "--from",
    "mail_from",
    required=True,
    metavar="ADDRESS",
    help='The envelope sender (MAIL FROM); "" for the null sender.',
)
@click.option(
    "--to", "rcpt_to", required=True, multiple=True, type=MailAddress(), help="A recipient (RCPT TO); may be repeated."
)
@click.option("--login", metavar="REF", help="Log in as this party on a submission port, instead of using the MX port.")
@click.option(
    "--client-ip", default="127.0.0.1", show_default=True, type=IpAddress(), help="The client's address, for SPF."
)
@click.option(
    "--helo", default="localhost", show_default=True, metavar="NAME", help="The name that the client gives itself."
)
@click.option("--trusted", is_flag=True, help="Treat the client as one in networks.trusted.")
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
    """Judge and rewrite the mail in FILE (- for standard input) as if it came in now. Nothing is changed or sent.

    DNS and scanners are asked as the configuration says. For each recipient this prints the verdict, the reasons, the
    SMTP answer, and the mail as it would be relayed, before it is signed.
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
            is_front=ClientNetworks(session.config.networks).is_front(client_address(client_ip)),
        ),
        mail_from=mail_from.strip("<>"),
        rcpt_to=rcpt_to,
        smtputf8=not (mail_from + "".join(rcpt_to)).isascii(),
        # A saved mail has the line ends of its file system.
        content=re.sub(rb"\r?\n", b"\r\n", file.read()),
        received_at=SystemClock().now(),
    )
    async with _services(session, store) as services:
        result = await flow.judge(services, incoming)
    found = [
        {"to": address, **_described(one, result, incoming.content)}
        for address, one in zip(rcpt_to, result.recipients, strict=True)
    ]
    if as_json:
        show.rows(found, as_json=True)
        return
    for one in found:
        relayed = one.pop("relayed")
        show.one(one, as_json=False)
        if relayed is not None:
            show.lines(f"\n{relayed}")


def _marketplace(session: CliContext, rcpt_to: tuple[str, ...]) -> Marketplace:
    """Returns the marketplace of the recipients.

    Raises UsageError if a recipient is at no alias domain, because the relay would refuse it at RCPT (R-ADR-08), and if
    the recipients belong to several marketplaces.
    """
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
        if party := await store.parties.by_ref(shop.id, role, ref):
            return party.id
    raise click.ClickException(f'{shop.id} has no party "{ref}"')


class _Uncounted:
    """An observer that counts nothing."""

    def count(self, metric: str, **labels: str) -> None: ...

    def duration_s(self, metric: str, seconds: float) -> None: ...


class _OutOfReach:
    """Takes the place of the services that send and sign.

    A simulation never uses these services, so any use of this class raises RuntimeError.
    """

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
            lanes=out_of_reach,
            signer=out_of_reach,
            dispatcher=out_of_reach,
            scanners=scanners,
            workers=ThreadWorkers(),
            web_port=session.config.web.port,
        )


def _described(one: RecipientResult, result: TransactionResult, content: bytes) -> dict[str, object]:
    described: dict[str, object] = {
        "verdict": _verdict(one),
        "smtp_answer": str(flow.reply(one, rejects=result.rejects)),
    }
    relayed = None
    match one:
        case Relayed(judgement=judgement) | Held(judgement=judgement):
            described |= _judged(judgement)
            rewritten, body_start = one.rewritten, judgement.mail.root.body_start
            octets = assemble(content, body_start, rewritten.header, rewritten.edits)
            relayed = octets.decode("utf-8", "backslashreplace")
            described["changes"] = [
                f"{each.what} in {each.where or 'the body'}: {each.why}" for each in rewritten.changes
            ]
        case Rerouted(judgement=judgement) | Returned(judgement=judgement) | Checked(judgement=judgement):
            described |= _judged(judgement)
        case Refused(reason=reason):
            described["reasons"] = [_reason(reason)]
        case ForOperator() | Merged() | Duplicate():
            pass
        case _:
            assert_never(one)
    return described | {"relayed": relayed}


def _judged(judgement: Judgement) -> dict[str, object]:
    verdict = judgement.verdict
    return {
        "reasons": [_reason(reason) for reason in verdict.reasons],
        "warnings": [_reason(reason) for reason in verdict.warnings],
        "kind": str(verdict.kind),
        "kind_shown_by": [_evidence(one) for one in verdict.evidence],
        "notice": verdict.notify,
        "policy_version": verdict.policy_version,
    }


def _verdict(one: RecipientResult) -> str:
    match one:
        case Refused():
            return "refuse"
        case ForOperator():
            return "to the operator"
        case Duplicate():
            return "duplicate"
        case Merged():
            return "merged with another recipient"
        case Relayed() | Held() | Rerouted() | Returned() | Checked():
            return str(one.judgement.verdict.action)
        case _:
            assert_never(one)


def _evidence(found: Evidence) -> str:
    span = found.span
    return f"{found.topic} ({found.weight:+g}) at {span.part or 'the body'}:{span.start}-{span.end}"


def _reason(reason: Reason) -> str:
    span = f" at {reason.span.part}:{reason.span.start}-{reason.span.end}" if reason.span else ""
    return f"{reason.code} ({reason.rule}){span}"
