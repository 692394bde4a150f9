"""Defines `relay check`, which examines whether this installation can work, and says how to mend its faults."""

import asyncio
import sys
import urllib.error
import urllib.request
from dataclasses import asdict

import click

from relay.cli import examine, show
from relay.cli.context import CliContext
from relay.cli.examine import CheckResult, Grade
from relay.config import ConfigError
from relay.edge.dns import DnsResolver

_LIVE_TIMEOUT_S = 5
_MARKS = {Grade.GOOD: "ok  ", Grade.WARNING: "warn", Grade.BAD: "FIX "}


@click.command()
@click.option("--offline", is_flag=True, help="Do not ask DNS servers.")
@click.option("--live", is_flag=True, help="Only ask the running daemon whether it can take mail (for supervisors).")
@show.as_json
@click.pass_obj
def check(session: CliContext, *, offline: bool, live: bool, as_json: bool) -> None:
    """Check the installation: configuration, keys, TLS files, links, store, ports, and DNS records of alias domains.

    Nothing is changed, but a missing database is made. Exit code 1 means that something must be fixed; warnings do not
    change the exit code.
    """
    findings = _live(session) if live else asyncio.run(_all(session, offline=offline))
    if as_json:
        show.rows([asdict(finding) for finding in findings], as_json=True)
    else:
        for finding in findings:
            click.echo(f"{_MARKS[finding.grade]}  {finding.what}: {finding.found}")
            if finding.fix:
                click.echo(f"      {finding.fix}")
    if any(finding.grade is Grade.BAD for finding in findings):
        sys.exit(1)


async def _all(session: CliContext, *, offline: bool) -> list[CheckResult]:
    try:
        config = session.config
    except ConfigError as error:
        return [
            CheckResult(Grade.BAD, "configuration", f"{problem.key}: {problem.what}", problem.fix)
            for problem in error.problems
        ]
    findings = [CheckResult(Grade.GOOD, "configuration", str(session.config_path))]
    findings += examine.account()
    findings += examine.files(config, session.config_path, session.data_dir)
    findings += examine.certificate(config, session.data_dir)
    findings += examine.links(config)
    findings += examine.extras(session.marketplaces)
    findings += examine.listeners(config, session.data_dir)
    records, about_store = await examine.store(config, session.base, session.marketplaces)
    findings += about_store
    if not offline:
        resolver = DnsResolver(dns=config.dns)
        findings += await examine.dns(resolver, records, config.hostname)
        findings += await examine.sending(resolver, config, session.marketplaces)
        findings += await examine.routes(resolver, config)
    return findings


def _live(session: CliContext) -> list[CheckResult]:
    web = session.config.web
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(web.host, f"[{web.host}]" if ":" in web.host else web.host)  # noqa: S104 - compared with, not bound to
    url = f"http://{host}:{web.port}/readyz"
    try:
        urllib.request.urlopen(url, timeout=_LIVE_TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        state = error.read(64).decode("ascii", "replace").strip()
        return [CheckResult(Grade.BAD, "daemon", f"cannot take mail now: {state}", "see its log")]
    except OSError:
        return [CheckResult(Grade.BAD, "daemon", f"does not answer at {url}", "start it with `relay serve`")]
    return [CheckResult(Grade.GOOD, "daemon", "takes mail")]
