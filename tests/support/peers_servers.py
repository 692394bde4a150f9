"""Postfix and Dovecot in directories of their own, on high ports of the loopback interface.

Both must be started by root and then run as other users, who must be able to read these directories. So the directories
are not below those of pytest.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.store.cluster import free_port
from tests.support.peers import wait_for_port

_MAIN = """
compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = mta.company.example
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
biff = no
smtp_host_lookup = native
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
smtp_tls_loglevel = 1
"""
_SERVICES = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix.

    `listeners` maps each port to the options of its smtpd. `settings` are lines for main.cf, where `{home}` is the
    directory.
    """

    def __init__(self, home: Path, *, settings: str, listeners: dict[int, dict[str, str]]) -> None:
        self.home = home
        for name in ("etc", "spool", "data"):
            (home / name).mkdir()
        account = pwd.getpwnam("postfix")
        os.chown(home / "data", account.pw_uid, account.pw_gid)
        (home / "etc/main.cf").write_text((_MAIN + settings).replace("{home}", str(home)))
        services = [_SERVICES]
        for port, options in listeners.items():
            services.append(f"127.0.0.1:{port} inet n - n - - smtpd")
            services += [f"  -o {name}={value}" for name, value in options.items()]
        (home / "etc/master.cf").write_text("\n".join(services) + "\n")
        shutil.copy("/etc/postfix/dynamicmaps.cf", home / "etc")
        self._run("start")
        for port in listeners:
            wait_for_port(port)

    def stop(self) -> None:
        self._run("stop")

    def log(self) -> str:
        return (self.home / "mail.log").read_text()

    def _run(self, verb: str) -> None:
        done = subprocess.run(
            ["postfix", "-c", str(self.home / "etc"), verb], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


class Dovecot:
    """A Dovecot with one Maildir per mailbox, filled by LMTP. It also checks logins for a Postfix: any user, one password."""

    def __init__(self, home: Path, *, password: str) -> None:
        self.home = home
        self.lmtp = free_port()
        account = pwd.getpwnam("nobody")
        (home / "mail").mkdir()
        os.chown(home / "mail", account.pw_uid, account.pw_gid)
        config = home / "dovecot.conf"
        config.write_text(f"""
            base_dir = {home}/run
            log_path = {home}/dovecot.log
            protocols = lmtp
            ssl = no
            listen = 127.0.0.1
            first_valid_uid = 1
            passdb {{
              driver = static
              args = password={password}
            }}
            userdb {{
              driver = static
              args = uid={account.pw_uid} gid={account.pw_gid} home={home}/mail/%u allow_all_users=yes
            }}
            mail_location = maildir:{home}/mail/%u
            service lmtp {{
              inet_listener lmtp {{
                address = 127.0.0.1
                port = {self.lmtp}
              }}
            }}
            service auth {{
              unix_listener {home}/auth {{
                mode = 0666
              }}
            }}
        """)
        self._process = subprocess.Popen(["dovecot", "-F", "-c", str(config)], stdout=subprocess.DEVNULL)
        wait_for_port(self.lmtp)

    def mails(self, address: str) -> list[bytes]:
        """Returns the mails of the mailbox, in no order."""
        return [path.read_bytes() for path in (self.home / "mail" / address / "new").glob("*")]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@contextmanager
def smtp_sink(host: str, port: int) -> Iterator[Callable[[], list[bytes]]]:
    """Runs Postfix's smtp-sink. Yields a function that returns the complete mails that it has taken so far."""
    with home() as directory:
        directory.chmod(0o777)
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        process = subprocess.Popen(["smtp-sink", *user, "-d", f"{directory}/%M.", f"{host}:{port}", "10"])
        try:
            wait_for_port(port, host)
            yield lambda: [path.read_bytes() for path in directory.iterdir()]
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="relay-peer-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
