"""The verbs beside a running daemon: serve, message, queue, simulate, check --live (R-UI-10, R-UI-11, R-UI-15)."""

import json
import os
import pty
import re
import signal
import smtplib
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import REVEAL, Installation

# Nobody listens on the discard port: what is sent is deferred.
QUICKLY = "poll_s = 0.1\nretry.domain_back_off_s = 0\n"
DEAD_ROUTE = '\n[[delivery.route]]\ndomain = "*"\nhost = "127.0.0.1"\nport = 9\n'
LETTER = (
    "From: Shop <owner@private.example>\nTo: x\nSubject: {subject}\nDate: Mon, 23 Nov 2026 01:00:00 +0900\n\n{text}\n"
)


@contextmanager
def _serving(installation: Installation) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "--config", str(installation.config), "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield process, json.loads(line)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def served(seeded: Installation) -> Iterator[tuple[Installation, dict[str, Any]]]:
    seeded.set_delivery(QUICKLY, DEAD_ROUTE)
    with _serving(seeded) as (_, ready):
        yield seeded, ready["ports"]


def _send(
    installation: Installation,
    ports: dict[str, Any],
    subject: str = "Hello",
    text: str = "The secret word is xyzzy.",
) -> str:
    """By the seller's mail program; the record id of the answer."""
    password = installation.json("party", "password", "add", "--ref", "S1")["password"]
    (pair,) = installation.json("pair", "list")
    trusting = ssl.create_default_context(cafile=str(installation.var / "tls/cert.pem"))
    with smtplib.SMTP("localhost", ports["submission"][0]) as client:
        client.starttls(context=trusting)
        client.login("S1", password)
        client.mail("owner@private.example")
        client.rcpt(pair["buyer_alias"])
        code, answer = client.data(LETTER.format(subject=subject, text=text))
    assert code == 250, answer
    return answer.split()[1].decode()


def test_the_ready_line_names_the_bound_ports(served: tuple[Installation, dict[str, Any]]) -> None:
    # R-UI-15
    _, ports = served
    assert {kind: type(value) for kind, value in ports.items()} == {
        "mx": list,
        "submission": list,
        "lmtp": list,
        "web": int,
    }
    assert all(port > 0 for port in (*ports["mx"], *ports["submission"], ports["web"]))
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['web']}/metrics") as page:
        assert b"relay_build_info" in page.read()


def test_a_message_is_listed_shown_and_waited_for(served: tuple[Installation, dict[str, Any]]) -> None:
    installation, ports = served
    record_id = _send(installation, ports)
    waited = installation.json("message", "wait", record_id, "--state", "deferred", "--timeout", "30")
    assert (waited["id"], waited["state"], waited["author"]) == (record_id, "deferred", "seller")
    assert [one["id"] for one in installation.json("message", "list")] == [record_id]
    assert installation.json("message", "list", "--state", "held") == []
    events = installation.json("message", "history", record_id)
    assert events[0]["type"] == "received"
    assert installation.json("message", "show", record_id)["events"][: len(events)] == events
    (line,) = installation.json("queue", "list")
    assert (line["destination"], line["state"], line["count"]) == ("other", "deferred", 1)
    assert installation.json("queue", "list", *REVEAL) == [line | {"destination": "private.example"}]
    attempts = [event["type"] for event in events].count("deferred")
    assert installation.json("queue", "flush", "--destination", "other.example") == {"flushed": 0}
    assert installation.json("queue", "flush", "--destination", "Private.example") == {"flushed": 1}
    until_s = time.monotonic() + 20
    while [one["type"] for one in installation.json("message", "history", record_id)].count("deferred") == attempts:
        assert time.monotonic() < until_s


def test_hosts_are_shown_for_a_case_and_a_reason_only(served: tuple[Installation, dict[str, Any]]) -> None:
    # R-REC-04, R-REC-06
    installation, ports = served
    record_id = _send(installation, ports)
    installation.json("message", "wait", record_id, "--state", "deferred", "--timeout", "30")
    for verb in (["list"], ["show", record_id], ["history", record_id]):
        assert "127.0.0.1" not in installation.relay("message", *verb).output, verb
    for why in ([], ["--case", "C-1"], ["--reason", "dispute"]):
        result = installation.relay("message", "show", record_id, "--reveal", *why, exit_code=2)
        assert "127.0.0.1" not in result.output
    shown = installation.json("message", "show", record_id, *REVEAL, "--by", "ann")
    assert shown["client_ip"] == "127.0.0.1"
    attempt = next(event["data"] for event in shown["events"] if event["type"] == "deferred")
    assert (attempt["server"], attempt["host"]) == ("127.0.0.1", "other")
    assert "127.0.0.1" in attempt["text"]
    read = installation.json("audit", "list")[0]
    assert (read["actor"], read["action"], read["about"]) == ("ann", "addresses_read", record_id)
    assert (read["data"]["of"], read["data"]["case"]) == ("hosts", "C-7")
    for more in (["--diff"], ["--body", "original"]):
        installation.relay("message", "show", record_id, *REVEAL, *more, exit_code=2)


def test_a_message_shows_its_order_and_how_it_is_known(served: tuple[Installation, dict[str, Any]]) -> None:
    # R-ADR-05
    installation, ports = served
    for name in ("250-1001", "250-1002"):
        installation.relay("order", "add", name, "--buyer", "B1", "--seller", "S1")
    shown = installation.json("message", "show", _send(installation, ports, text="250-1002 was sent today."))
    assert (shown["order"], shown["detail"]["order_evidence"]) == ("250-1002", "text")
    assert "order_evidence: text" in installation.relay("message", "show", shown["id"]).output.replace("=", ": ")


def test_waiting_ends_with_the_time_or_with_another_end(served: tuple[Installation, dict[str, Any]]) -> None:
    installation, ports = served
    record_id = _send(installation, ports)
    result = installation.relay("message", "wait", record_id, "--state", "accepted", "--timeout", "0", exit_code=1)
    assert "not accepted, after 0 s" in result.stderr
    installation.relay("opt-out", "set", "--buyer", "B1")
    returned = _send(installation, ports)
    result = installation.relay("message", "wait", returned, "--state", "accepted", exit_code=1)
    assert f"{returned} has ended as returned, not accepted" in result.stderr


def test_a_body_is_read_for_a_case_and_a_reason_only(served: tuple[Installation, dict[str, Any]]) -> None:
    # R-REC-06
    installation, ports = served
    record_id = _send(installation, ports, subject="Plugh")
    for why in ([], ["--case", "C-1"], ["--reason", "dispute"], ["--case", " ", "--reason", "dispute"]):
        result = installation.relay("message", "show", record_id, "--body", "original", *why, exit_code=2)
        assert "xyzzy" not in result.output
    why = ["--case", "C-1", "--reason", "dispute"]
    original = installation.relay("message", "show", record_id, "--body", "original", *why).stdout_bytes
    relayed = installation.relay("message", "show", record_id, "--body", "relayed", *why).stdout_bytes
    assert b"owner@private.example" in original
    assert b"xyzzy" in relayed
    assert b"private.example" not in relayed
    for verb in (["list"], ["show", record_id], ["history", record_id]):
        shown = installation.relay("message", *verb).output
        assert not re.search("xyzzy|Plugh|owner@", shown), verb


@pytest.mark.parametrize("form", ["original", "relayed"])
def test_a_body_cannot_control_a_terminal_but_its_bytes_reach_a_file(
    served: tuple[Installation, dict[str, Any]], form: str
) -> None:
    installation, ports = served
    record_id = _send(installation, ports, text="plain \x1b]0;title\x07 \x1b[2J\x08 end")
    verb = ["message", "show", record_id, "--body", form, "--case", "C-1", "--reason", "dispute"]
    assert b"\x1b]0;title" in installation.relay(*verb).stdout_bytes
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "relay", "--config", str(installation.config), *verb]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    painted = b""
    with suppress(OSError):  # the end of a terminal that nobody holds any more
        while piece := os.read(ours, 65_536):
            painted += piece
    os.close(ours)
    assert process.wait(30) == 0
    text = painted.decode()
    assert "plain" in text
    assert "end" in text
    assert not [char for char in text if not char.isprintable() and char not in "\r\n"]


def test_who_read_a_body_is_kept_with_case_and_reason(served: tuple[Installation, dict[str, Any]]) -> None:
    # R-REC-06
    installation, ports = served
    record_id = _send(installation, ports)
    why = ["--case", "C-1", "--reason", "hanako@private.example asked", "--by", "Staff"]
    for _ in range(2):
        installation.relay("message", "show", record_id, "--body", "original", *why)
    installation.relay("message", "show", record_id, "--diff", *why)
    viewed = [one["data"] for one in installation.json("message", "history", record_id) if one["type"] == "viewed"]
    common = {"case": "C-1", "reason": "*** asked", "by": "Staff"}
    assert viewed == [common | {"what": what} for what in ("original", "original", "diff")]


def test_what_was_changed_is_shown_as_a_person_reads_it(served: tuple[Installation, dict[str, Any]]) -> None:
    # R-REW-08, R-REC-06
    installation, ports = served
    record_id = _send(installation, ports, subject="=?utf-8?b?6Yy044Gu5Lu2?=")
    assert "xyzzy" not in installation.relay("message", "show", record_id, "--diff", exit_code=2).output
    why = ["--case", "C-1", "--reason", "dispute"]
    shown = installation.json("message", "show", record_id, "--diff", *why)
    assert ("header dropped", "from") in {(one["what"], one["where"]) for one in shown["changes"]}
    assert all(one["why"] and re.fullmatch(r"\d+-\d+", one["bytes"]) for one in shown["changes"])
    assert "-From: Shop <owner@private.example>" in shown["difference"]
    text = installation.relay("message", "show", record_id, "--diff", *why).output
    assert "replaced by the relay's own" in text
    assert all(line in text for line in shown["difference"])
    both = installation.relay("message", "show", record_id, "--diff", "--body", "original", *why, exit_code=2)
    assert "take one of them" in both.stderr


def test_an_unknown_message_is_told(seeded: Installation) -> None:
    for verb in (["show"], ["history"], ["wait", "--state", "held"]):
        assert "there is no message nope" in seeded.relay("message", *verb, "nope", exit_code=1).stderr


def test_one_daemon_per_directory(served: tuple[Installation, dict[str, Any]]) -> None:
    installation, _ = served
    result = installation.relay("serve", exit_code=1)
    assert "another relay uses this directory" in result.stderr


def test_a_live_daemon_says_so(seeded: Installation) -> None:
    seeded.set_delivery(QUICKLY, DEAD_ROUTE)
    with _serving(seeded) as (_, ready):
        web = ready["ports"]["web"]
        seeded.configure(lambda text: text.replace('[web]\nhost = "127.0.0.1"\nport = 0', f"[web]\nport = {web}"))
        assert seeded.json("check", "--live") == [{"grade": "good", "what": "daemon", "found": "takes mail", "fix": ""}]


def test_a_reload_takes_a_new_marketplace_and_survives_a_broken_file(seeded: Installation) -> None:
    # R-UI-11
    with _serving(seeded) as (process, ready):
        mx = ready["ports"]["mx"][0]
        good = seeded.config.read_text(encoding="utf-8")
        told = process.stderr
        assert told is not None
        for text, event, code in (
            ("nonsense", "reload_refused", 550),
            (good.replace("shop.example", "mart.example"), "reloaded", 250),
        ):
            seeded.config.write_text(text, encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            assert any(json.loads(line)["event"] == event for line in told)
            assert _rcpt(mx, "postmaster@mart.example") == code
        assert process.poll() is None


def _rcpt(port: int, address: str) -> int:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        client.mail("x@private.example")
        return client.rcpt(address)[0]


def test_a_stop_by_signal_is_exit_code_0(seeded: Installation) -> None:
    with _serving(seeded) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_port_in_use_is_one_clear_message(seeded: Installation) -> None:
    with _serving(seeded) as (_, ready):
        taken = ready["ports"]["mx"][0]
        other = Installation(seeded.directory.parent / "other")
        other.directory.mkdir()
        text = seeded.config.read_text(encoding="utf-8").replace("port = 0", f"port = {taken}", 1)
        other.config.write_text(text, encoding="utf-8")
        other.relay("init", str(other.directory))
        stderr = other.relay("serve", exit_code=1).stderr
    assert "address already in use" in stderr.lower()
    assert str(taken) in stderr
    assert "Traceback" not in stderr


# ---------------------------------------------------------------- simulate


@pytest.fixture
def mail_file(tmp_path: Path) -> Path:
    path = tmp_path / "letter.eml"
    path.write_text(LETTER.format(subject="[重要] Hello", text="Write to owner@private.example"), encoding="utf-8")
    return path


def _simulate(seeded: Installation, mail_file: Path, *options: str) -> dict[str, Any]:
    (pair,) = seeded.json("pair", "list")
    envelope = ["--from", "owner@private.example", "--to", pair["buyer_alias"]]
    (found,) = seeded.json("simulate", str(mail_file), *envelope, *options)
    result: dict[str, Any] = found
    return result


def test_a_simulation_says_the_verdict_and_shows_the_mail(seeded: Installation, mail_file: Path) -> None:
    # R-POL-01
    before = {path: path.read_bytes() for path in seeded.var.glob("relay.db*")}
    found = _simulate(seeded, mail_file, "--login", "S1")
    assert (found["verdict"], found["smtp_answer"][:9]) == ("relay", "250 2.0.0")
    assert "private.example" not in found["relayed"]
    (pair,) = seeded.json("pair", "list")
    assert f"Write to {pair['seller_alias']}" in found["relayed"]
    assert found["changes"]
    assert seeded.json("message", "list") == []
    assert seeded.json("queue", "list") == []
    assert {path: path.read_bytes() for path in seeded.var.glob("relay.db*")} == before


def test_a_simulation_knows_the_policy(seeded: Installation, mail_file: Path) -> None:
    seeded.relay("opt-out", "set", "--buyer", "B1")
    assert _simulate(seeded, mail_file, "--login", "S1")["reasons"][0].startswith(
        "marked_important (R-POL-04) at subject:"
    )
    mail_file.write_text(mail_file.read_text(encoding="utf-8").replace("重要", "Sale"), encoding="utf-8")
    returned = _simulate(seeded, mail_file, "--login", "S1")
    assert (returned["verdict"], returned["reasons"][0].split()[0], returned["relayed"]) == (
        "return",
        "opted_out",
        None,
    )
    mail_file.write_text(mail_file.read_text(encoding="utf-8").replace("owner@", "stranger@"), encoding="utf-8")
    assert _simulate(seeded, mail_file)["verdict"] == "refuse"


def test_a_simulation_shows_the_kind_and_the_phrases_that_show_it(seeded: Installation, mail_file: Path) -> None:
    # R-POL-16 R-POL-21
    mail_file.write_text(LETTER.format(subject="Hello", text="Please cancel your order."), encoding="utf-8")
    found = _simulate(seeded, mail_file, "--login", "S1")
    assert found["kind"] == "asks_buyer_to_cancel"
    assert found["kind_shown_by"][0].startswith("asks_to_cancel (+1.8) at the body:0-")


def test_a_simulation_for_people_ends_with_the_mail(seeded: Installation, mail_file: Path) -> None:
    (pair,) = seeded.json("pair", "list")
    envelope = ["--from", "owner@private.example", "--to", pair["buyer_alias"], "--login", "S1"]
    output = seeded.relay("simulate", str(mail_file), *envelope).output
    assert "verdict:         relay" in output
    assert output.index("verdict:") < output.index("MIME-Version:")


def test_a_simulated_mail_cannot_control_a_terminal(seeded: Installation, mail_file: Path) -> None:
    mail_file.write_text(LETTER.format(subject="Hello", text="a\x1b]0;title\x07\tb \x9b2J end"), encoding="utf-8")
    (pair,) = seeded.json("pair", "list")
    envelope = ["--from", "owner@private.example", "--to", pair["buyer_alias"], "--login", "S1"]
    output = seeded.relay("simulate", str(mail_file), *envelope).output
    assert "2J end" in output
    assert not [char for char in output if not char.isprintable() and char != "\n"]


def test_a_simulation_tells_of_each_recipient(seeded: Installation, mail_file: Path) -> None:  # R-POL-01, R-REW-05
    (pair,) = seeded.json("pair", "list")
    alias, own = pair["buyer_alias"], pair["seller_alias"]
    nobody = "a" * 16 + "@shop.example"
    to = [alias, alias.replace("@", "+x@"), own, f"check+{alias}", "abuse@shop.example", nobody, "abuse+1@shop.example"]
    envelope = [part for address in to for part in ("--to", address)]
    found = seeded.json("simulate", str(mail_file), "--from", "owner@private.example", "--login", "S1", *envelope)
    assert [one["to"] for one in found] == to
    assert [one["verdict"] for one in found] == [
        "relay",
        "merged with another recipient",
        "merged with another recipient",
        "relay",
        "to the operator",
        "refuse",
        "merged with another recipient",
    ]
    answers = [one["smtp_answer"] for one in found]
    assert answers[0] == answers[1] == answers[2]
    assert answers[4] == answers[6]
    assert [bool(one["relayed"]) for one in found] == [True] + [False] * 6


def test_the_operators_mail_is_told(seeded: Installation, mail_file: Path) -> None:
    (found,) = seeded.json("simulate", str(mail_file), "--from", "", "--to", "postmaster@shop.example")
    assert found["verdict"] == "to the operator"


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (["--from", "x@y.example", "--to", "a@other.example"], 2, "the relay would refuse it at RCPT"),
        (["--from", "x y", "--to", "a@shop.example"], 2, "not one mail address"),
        (["--from", "x@y.example", "--to", "a@shop.example", "--login", "S9"], 1, 'shop has no party "S9"'),
    ],
)
def test_a_simulation_that_makes_no_sense_is_told(
    seeded: Installation, mail_file: Path, options: list[str], exit_code: int, said: str
) -> None:
    assert said in seeded.relay("simulate", str(mail_file), *options, exit_code=exit_code).stderr


def test_a_policy_is_tried_on_recorded_mail_without_a_word_of_it(served: tuple[Installation, dict[str, Any]]) -> None:
    # R-POL-15
    installation, ports = served
    message_id = _send(installation, ports, subject="[Important] xyzzy")
    candidate = installation.directory / "candidate.toml"
    rules = 'version = "x"\neffective_at = 2099-01-01\n[limits]\nmessage_bytes = 10\n'
    candidate.write_text(rules, encoding="utf-8")
    before = installation.json("message", "show", message_id)
    tried = installation.json("policy", "replay", "--policy", str(candidate))
    assert (tried["messages"], tried["different"], tried["moves"]) == (1, 1, {"relay -> return": 1})
    assert [(one["id"], one["then_because"]) for one in tried["differences"]] == [(message_id, ["too_big"])]
    said = installation.relay("policy", "replay", "--policy", str(candidate))
    assert message_id in said.stdout
    for secret in ("private.example", "xyzzy"):
        assert secret not in said.stdout + said.stderr + json.dumps(tried)
    assert installation.json("message", "show", message_id)["events"][: len(before["events"])] == before["events"]
