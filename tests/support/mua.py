"""Real mail user agents, controlled from outside: s-nail and neomutt, each with a mailbox file of its own."""

import mailbox
import os
import pty
import select
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Server:
    """The server that a mail program submits to.

    `security` is "starttls", "tls" for implicit TLS, or "" for none. `ca` is the only certificate that the program
    trusts.
    """

    port: int
    security: str = ""
    user: str = ""
    password: str = ""
    ca: Path | None = None


@dataclass(kw_only=True)
class MailProgram:
    """A mail program. `name` is its owner's name and `machine` its host name: they occur in From, HELO and Message-ID."""

    directory: Path
    address: str
    machine: str
    server: Server
    name: str = "Ichiro Seto"
    charset: str = "utf-8"

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True)

    @property
    def inbox(self) -> Path:
        return self.directory / "inbox"

    @property
    def sent(self) -> Path:
        return self.directory / "sent"

    def deliver(self, content: bytes) -> None:
        """Puts a mail into the inbox, as the mail server of its owner would."""
        box = mailbox.mbox(self.inbox)
        try:
            box.lock()
            box.add(content.replace(b"\r\n", b"\n"))
        finally:
            box.close()

    def mails(self, folder: Path) -> list[EmailMessage]:
        box = mailbox.mbox(folder)
        try:
            found = [message_from_bytes(bytes(one), policy=policy.default) for one in box]
        finally:
            box.close()
        return found


class SNail(MailProgram):
    def send(self, to: str, subject: str, text: str) -> None:
        self._run("-s", subject, to, said=text)

    def reply(self, text: str) -> None:
        """Answers the newest mail, and quotes it."""
        self._run("-#", "-f", str(self.inbox), said=f"reply $\n{text}\n.\nexit\n")

    def _run(self, *words: str, said: str) -> None:
        done = subprocess.run(
            ["s-nail", "-n", *self._settings(), *words],
            input=said.encode(),
            capture_output=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "MAILRC": "/dev/null", "LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0, done.stderr.decode()
        assert b"not sent" not in done.stderr, done.stderr.decode()

    def _settings(self) -> list[str]:
        server = self.server
        scheme = "smtps" if server.security == "tls" else "smtp"
        login = f"{server.user}:{server.password}@" if server.user else ""
        settings = {
            "v15-compat": "yes",
            "mta": f"{scheme}://{login}localhost:{server.port}",
            "smtp-auth": "plain" if server.user else "none",
            "hostname": self.machine,
            "from": f"{self.name} <{self.address}>",
            "record": str(self.sent),
            "quote": "",
            "dot": "",
            "hold": "",
            "sendwait": "",
            "ttycharset": "utf-8",
            "reply-strings": "",
        }
        if server.security == "starttls":
            settings["smtp-use-starttls"] = ""
        if server.ca:
            settings |= {"tls-verify": "strict", "tls-ca-file": str(server.ca), "tls-ca-no-defaults": ""}
        return [word for name, value in settings.items() for word in ("-S", f"{name}={value}" if value else name)]


class NeoMutt(MailProgram):
    def send(self, to: str, subject: str, text: str, *, attached: Sequence[Path] = (), cc: str = "") -> None:
        """Sends a mail in batch mode."""
        options = [word for path in attached for word in ("-a", str(path))] + (["-c", cc] if cc else [])
        done = subprocess.run(
            ["neomutt", "-n", "-F", str(self._rc()), "-s", subject, *options, "--", to],
            input=text.encode(),
            capture_output=True,
            timeout=60,
            check=False,
            env=self._env(),
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()

    def reply(self, text: str) -> None:
        """Answers the newest mail, and quotes it, by the keys that a person presses."""
        editor = self.directory / "editor"
        editor.write_text(f'#!/bin/sh\necho {shlex.quote(text)} >> "$1"\n')
        editor.chmod(0o755)
        keys = "<last-entry><reply><send-message><exit>"
        words = ["neomutt", "-n", "-F", str(self._rc()), "-f", str(self.inbox), "-e", f'push "{keys}"']
        _on_a_terminal(words, self._env())

    def _rc(self) -> Path:
        server = self.server
        scheme = "smtps" if server.security == "tls" else "smtp"
        login = f"{server.user}@" if server.user else ""
        lines = [
            f'set from="{self.address}" realname="{self.name}" use_from=yes use_envelope_from=yes envelope_from_address="{self.address}"',
            f'set hostname="{self.machine}" record="{self.sent}" folder="{self.directory}" spoolfile="{self.inbox}"',
            f'set smtp_url="{scheme}://{login}localhost:{server.port}/" smtp_pass="{server.password}"',
            f"set ssl_starttls={'yes' if server.security == 'starttls' else 'no'}",
            f"set ssl_force_tls={'yes' if server.security else 'no'} ssl_usesystemcerts=no ssl_verify_host=yes",
            f'set certificate_file="{server.ca or ""}"',
            f'set editor="{self.directory / "editor"}"',
            f"set send_charset=us-ascii:{self.charset}",
            "set fast_reply=yes include=yes abort_unmodified=no abort_nosubject=no confirmappend=no sleep_time=0",
            'set charset=utf-8 mbox_type=mbox header_cache="" copy=yes quit=yes move=no mark_old=no',
            "set autoedit=yes edit_headers=no crypt_use_gpgme=no wait_key=no beep=no",
        ]
        rc = self.directory / "neomuttrc"
        rc.write_text("\n".join(lines) + "\n")
        return rc

    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory), "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def _on_a_terminal(words: list[str], env: dict[str, str], timeout_s: float = 30) -> None:
    """Runs a full-screen program to its end. Its output is shown when it fails."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)
    painted = b""
    end = time.monotonic() + timeout_s
    try:
        while process.poll() is None:
            assert time.monotonic() < end, painted.decode("utf-8", "replace")
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    painted += os.read(ours, 65_536)
                except OSError:  # it has closed the terminal
                    break
        assert process.wait(10) == 0, painted.decode("utf-8", "replace")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
