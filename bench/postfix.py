"""Postfix, the usual alternative, set up to do the same work as relay. It needs root.

It has 100,000 aliases, rewrites headers, writes an fsynced archive copy of each mail and signs by OpenDKIM with
RSA-2048, in a directory of its own.
"""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

ALIASES: Final = 100_000
MAILBOXES: Final = 997

_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {d}/spool
data_directory = {d}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
maillog_file =
notify_classes =
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtputf8_enable = no
relayhost = [127.0.0.1]:{sink}

# tuned, so that the comparison is with Postfix at its best here
in_flow_delay = 0
smtp_destination_concurrency_limit = 50
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
smtp_connection_cache_destinations = 127.0.0.1

# the same work: aliases, rewriting, archive, signature
virtual_alias_domains = relay.test
virtual_alias_maps = hash:{d}/etc/aliases
sender_canonical_maps = pcre:{d}/etc/sender
sender_canonical_classes = envelope_sender, header_sender
header_checks = pcre:{d}/etc/header_checks
always_bcc = archive@archive.test
virtual_mailbox_domains = archive.test
virtual_mailbox_base = {d}/archive
virtual_mailbox_maps = static:mail/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
virtual_destination_concurrency_limit = 20
smtpd_milters = unix:{d}/opendkim0.sock
milter_default_action = tempfail
"""
_HEADER_CHECKS: Final = """\
/^(Received|X-Originating-IP|X-Mailer|X-Gm-Message-State|DKIM-Signature):/ IGNORE
/^From:.*<(.*)>/ REPLACE From: "Buyer via Market" <b.7f3k9q@relay.test>
/^To:/ REPLACE To: <user@mailbox.test>
"""
SIGNING: Final = """\
Syslog no
Canonicalization relaxed/relaxed
Socket local:{d}/opendkim{n}.sock
UMask 000
Background no
UserID 0
RequireSafeKeys no
OversignHeaders From
SenderHeaders From
SigningTable refile:{d}/signing
KeyTable file:{d}/keys
"""
_LEFT_OUT: Final = frozenset({"maildrop", "uucp", "ifmail", "bsmtp", "scalemail-backend", "mailman", "postlog"})


class Postfix:
    """Postfix as a `Server` under test."""

    name = "postfix"
    per_recipient_flag: tuple[str, ...] = ("-N",)  # smtp-source numbers the recipient: 1pair@, 2pair@ ...
    recipient = "pair@relay.test"

    def __init__(self, directory: Path, port: int, sink_port: int) -> None:
        self._dir = directory / "postfix"
        self._port, self._sink_port = port, sink_port
        self._milters: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        shutil.rmtree(self._dir, ignore_errors=True)
        for name in ("etc", "spool", "data", "archive"):
            (self._dir / name).mkdir(parents=True)
        self._dir.chmod(0o755)
        user = pwd.getpwnam("postfix")
        for name in ("data", "archive"):
            os.chown(self._dir / name, user.pw_uid, user.pw_gid)
        self._configure(user.pw_uid)
        self._start_opendkim()
        subprocess.run(["postfix", "-c", self._dir / "etc", "start"], check=True, capture_output=True)

    def _configure(self, uid: int) -> None:
        etc = self._dir / "etc"
        (etc / "main.cf").write_text(_MAIN.format(d=self._dir, sink=self._sink_port, uid=uid) + self._more_settings())
        (etc / "sender").write_text("/^alice\\.buyer@example\\.net$/ b.7f3k9q@relay.test\n")
        (etc / "header_checks").write_text(_HEADER_CHECKS)
        lines = [f"{i}pair@relay.test user{i % MAILBOXES}@mailbox.test\n" for i in range(ALIASES)]
        (etc / "aliases").write_text("".join(lines) + "pair@relay.test user@mailbox.test\n")
        services = []
        for line in Path("/etc/postfix/master.cf").read_text(encoding="utf-8").splitlines():
            fields = line.split()
            if not fields or line.startswith(("#", " ", "\t")) or fields[0] in _LEFT_OUT:
                continue
            if fields[:2] == ["smtp", "inet"]:
                fields[0] = f"127.0.0.1:{self._port}"
                fields += self._smtpd_options()
            elif fields[1] == "inet":
                continue
            fields[4] = "n"  # no chroot
            services.append("\t".join(fields))
        services += self._more_services()
        (etc / "master.cf").write_text("\n".join(services) + "\n")
        shutil.copy("/etc/postfix/dynamicmaps.cf", etc)
        subprocess.run(["postmap", "-c", etc, f"hash:{etc}/aliases"], check=True, capture_output=True)

    def _more_settings(self) -> str:
        return ""

    def _smtpd_options(self) -> list[str]:
        return []

    def _more_services(self) -> list[str]:
        return []

    def _start_opendkim(self) -> None:
        key = self._dir / "key.pem"
        made = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True)
        key.write_bytes(made.stdout)
        key.chmod(0o600)
        (self._dir / "signing").write_text("* s1\n")
        (self._dir / "keys").write_text(f"s1 relay.test:s1:{key}\n")
        for number, text in enumerate(self._filters()):
            conf = self._dir / f"opendkim{number}.conf"
            conf.write_text(text)
            self._milters.append(subprocess.Popen(["opendkim", "-f", "-x", conf], stderr=subprocess.DEVNULL))
            while not (self._dir / f"opendkim{number}.sock").exists():
                time.sleep(0.05)

    def _filters(self) -> list[str]:
        """Returns the configuration of each OpenDKIM; the socket of number n is `opendkim<n>.sock`."""
        return [SIGNING.format(d=self._dir, n=0) + "Mode s\nInternalHosts 127.0.0.1\n"]

    def processes(self) -> list[int]:
        master = int((self._dir / "spool/pid/master.pid").read_text(encoding="ascii"))
        return [master] + [milter.pid for milter in self._milters]

    def drained(self) -> bool:
        queues = (self._dir / "spool" / name for name in ("incoming", "active", "deferred", "maildrop"))
        return not any(files for queue in queues for _, _, files in os.walk(queue))

    def verified(self) -> int:
        """Returns the number of mails verified since `forget`."""
        return 0

    def forget(self) -> None:
        """Empties the archive between cases, as a rotation would."""
        for path in (self._dir / "archive/mail/new").glob("*"):
            path.unlink()

    def stop(self) -> None:
        subprocess.run(["postfix", "-c", self._dir / "etc", "stop"], check=False, capture_output=True)
        for milter in self._milters:
            milter.terminate()
            milter.wait()
        self._milters.clear()
