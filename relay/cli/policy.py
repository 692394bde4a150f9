"""Defines `relay policy`, which shows, checks, compares and tries versions of the policy (R-POL-15, R-POL-20)."""

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from relay import texts
from relay.cli import show
from relay.cli.context import CliContext, in_marketplace, with_store
from relay.config.policies import default_text, policies
from relay.core.model.marketplace import Marketplace
from relay.core.model.policy import Policy
from relay.core.model.setting_change import SettingChange
from relay.core.model.verdict import Verdict
from relay.core.notice.letters import worded
from relay.core.notice.texts import LANGUAGES
from relay.core.policy.changes import changelog, changes, settings
from relay.ports import Store
from relay.steps.replay import Replayed, replay

_BUILT_IN = "builtin-1"
_PROGRESS_EVERY = 200
_DAY = click.DateTime(["%Y-%m-%d"])

locale_option = click.option(
    "--locale", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True, help="The language of the texts."
)
file_or_directory = click.argument("path", metavar="FILE|DIR", type=click.Path(exists=True, path_type=Path))


@click.group()
def policy() -> None:
    """The rules for mail between both sides. `docs/policy.md` explains every key."""


@policy.command("default")
def default() -> None:
    """Print the built-in policy as a file with comments, to begin a policy of your own."""
    click.echo(default_text(), nl=False)


@policy.command("show")
@in_marketplace
@click.option("--version", metavar="V", help="Show the settings of this version.")
@click.option("--default", "built_in", is_flag=True, help="Print the built-in policy as a file with comments.")
@show.as_json
@click.pass_context
def show_policy(
    ctx: click.Context, *, marketplace: str | None, version: str | None, built_in: bool, as_json: bool
) -> None:
    """Show the version in force with its settings, and the versions to come."""
    if built_in:
        ctx.invoke(default)
        return
    session: CliContext = ctx.find_object(CliContext) or ctx.fail("no session")
    shop, now = session.marketplace(marketplace), datetime.now(UTC)
    current = shop.policy_at(now)
    if version is not None:
        one = _version(shop, version)
        described = _described(one, current, now)
        show.one({**described, "settings": _plain(one)} if as_json else {**described, **_plain(one)}, as_json=as_json)
        return
    coming = [one for one in shop.policies if one is current or one.effective_at > now]
    if as_json:
        show.rows([{**_described(one, current, now), "settings": _plain(one)} for one in coming], as_json=True)
        return
    show.rows([_described(one, current, now) for one in coming], as_json=False)
    click.echo()
    show.one(_plain(current), as_json=False)


@policy.command("check")
@file_or_directory
@show.as_json
def check(path: Path, *, as_json: bool) -> None:
    """Check a policy file, or all policy files in a directory. All mistakes are shown at once, each with its fix."""
    found = [
        {"version": one.version, "effective_at": one.effective_at.astimezone(UTC), "settings_changed": len(before)}
        for one, before in ((one, changes(Policy(), one)) for one in policies(path))
    ]
    show.rows(found, as_json=as_json)


@policy.command("diff")
@in_marketplace
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@locale_option
@show.as_json
@click.pass_obj
def diff(session: CliContext, *, marketplace: str | None, old: str, new: str, locale: str, as_json: bool) -> None:
    """Show how policy B differs from policy A. A and B are files or names of versions."""
    changed = changes(_named(session, marketplace, old), _named(session, marketplace, new))
    if as_json:
        show.rows([_keyed(one) for one in changed], as_json=True)
        return
    if not changed:
        click.echo("nothing changes", err=True)
    for one in changed:
        _say(one, session.marketplace(marketplace), locale)


@policy.command("changelog")
@in_marketplace
@locale_option
@show.as_json
@click.pass_obj
def show_changelog(session: CliContext, *, marketplace: str | None, locale: str, as_json: bool) -> None:
    """List all versions, newest first, with the summary and the changes of each."""
    shop, now = session.marketplace(marketplace), datetime.now(UTC)
    current = shop.policy_at(now)
    entries = changelog(shop.policies)
    if as_json:
        lines = [
            {**_described(one, current, now), "summary": dict(one.summary), "changes": [_keyed(c) for c in changed]}
            for one, changed in entries
        ]
        show.rows(lines, as_json=True)
        return
    for one, changed in entries:
        click.echo(f"{one.version}, {_state(one, current, now)} from {_time(one.effective_at)}")
        for language, words in sorted(one.summary.items()):
            click.echo(f"  {language}: {words.strip()}")
        for change in changed:
            _say(change, shop, locale)


@policy.command("replay")
@in_marketplace
@click.option(
    "--policy",
    "path",
    required=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file of the policy to try.",
)
@click.option(
    "--since", type=_DAY, metavar="YYYY-MM-DD", help="Use mail from this day on (UTC). Default: the last 30 days."
)
@click.option("--until", type=_DAY, metavar="YYYY-MM-DD", help="Use mail up to the end of this day (UTC).")
@show.as_json
@with_store
async def replay_policy(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    path: Path,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Judge recorded mail again, by the policy in force and by FILE, and list the messages whose verdicts differ.

    Nothing is changed and nothing is sent. Parties, opt-outs and misuse points are used as they are today; quotas are
    counted from the recorded mail.
    """
    shop, now = session.marketplace(marketplace), datetime.now(UTC)
    (candidate,) = policies(path)
    first = since.replace(tzinfo=UTC) if since else now - timedelta(days=30)
    last = until.replace(tzinfo=UTC) + timedelta(days=1) if until else now
    counts: Counter[str] = Counter({"messages": 0, "not_judged": 0, "different": 0})
    moves: Counter[str] = Counter()
    lines: list[show.Row] = []
    async for one in replay(store, shop, candidate, first, last, now):
        counts["messages"] += 1
        _progress(counts["messages"])
        if one.now is None or one.then is None:
            counts["not_judged"] += 1
        elif one.differs:
            counts["different"] += 1
            moves[f"{one.now.action} -> {one.then.action}"] += 1
            lines.append(_difference(one, one.now, one.then))
    _progress(None)
    if as_json:
        show.one({**counts, "moves": dict(moves), "differences": lines}, as_json=True)
        return
    show.rows(lines, as_json=False, empty="nothing would differ")
    click.echo()
    show.one({**counts, "moves": dict(sorted(moves.items()))}, as_json=False)


def _progress(count: int | None) -> None:
    """Shows on a terminal how many messages have been judged; for None, clears the line."""
    if sys.stderr.isatty() and (count is None or count % _PROGRESS_EVERY == 0):
        click.echo("\r\033[K" if count is None else f"\r{count} messages", nl=False, err=True)


def _difference(one: Replayed, now: Verdict, then: Verdict) -> show.Row:
    return {
        "id": one.message_id,
        "received_at": one.received_at,
        "now": str(now.action),
        "now_because": _codes(now),
        "then": str(then.action),
        "then_because": _codes(then),
    }


def _codes(verdict: Verdict) -> list[str]:
    return [str(reason.code) for reason in (*verdict.reasons, *verdict.warnings)]


def _version(shop: Marketplace, name: str) -> Policy:
    found = next((one for one in shop.policies if one.version == name), None)
    if found is None:
        names = ", ".join(one.version for one in shop.policies)
        raise click.ClickException(f'there is no file "{name}", and {shop.id} has no such policy, but {names}')
    return found


def _named(session: CliContext, marketplace: str | None, name: str) -> Policy:
    """Returns the policy in the file `name`, or the built-in policy, or the version `name` of the marketplace."""
    if Path(name).is_file():
        return policies(Path(name))[0]
    return Policy() if name == _BUILT_IN else _version(session.marketplace(marketplace), name)


def _described(one: Policy, current: Policy, now: datetime) -> show.Row:
    return {
        "version": one.version,
        "effective_at": one.effective_at.astimezone(UTC),
        "state": _state(one, current, now),
    }


def _state(one: Policy, current: Policy, now: datetime) -> str:
    if one is current:
        return "in force"
    return "to come" if one.effective_at > now else "past"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _say(change: SettingChange, shop: Marketplace, locale: str) -> None:
    """Prints the key of a setting and, below it, the text that sellers read about its change."""
    click.echo(change.path)
    for line in worded(change, shop, texts.load()(locale)):
        click.echo(f"    {line}")


def _plain(one: Policy) -> dict[str, object]:
    return {path: _listed(value) for path, value in settings(one).items()}


def _keyed(change: SettingChange) -> show.Row:
    return {"key": change.path, "old": _listed(change.old), "new": _listed(change.new)}


def _listed(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else value
