"""Postfix that verifies incoming mail and signs outgoing mail, in two working set-ups.

The usual set-up has two passes. A first smtpd uses the SPF policy service and one OpenDKIM in mode `sv`, which
verifies. It passes the mail to a second smtpd, after which it is rewritten, archived and signed by the same OpenDKIM.
The cheap set-up has one pass and two OpenDKIM; the second signs the text that the rewriting at delivery will make
(`ReplaceRules`), and the archive has the mail as it came. Neither checks DMARC or ARC, which relay does too.

The policy service is Debian's postfix-policyd-spf-python. Postfix starts it and keeps it as long as the session. Its
DNS library gets the bench's port in the code below, because resolv.conf cannot name a port.
"""

from pathlib import Path
from typing import Final, Literal

from bench.postfix import SIGNING, Postfix

REINJECT_PORT: Final = 2527
_POLICY: Final = """
import sys
sys.modules["dns"] = None  # spf.py takes dnspython where that is installed; PyDNS is the lighter one
import DNS
discover = DNS.DiscoverNameServers
def ours():
    DNS.defaults["server"], DNS.defaults["port"] = ["127.0.0.1"], {port}
DNS.DiscoverNameServers = ours
from spf_engine.policyd_spf import main
main()
"""
_POLICY_SETTINGS: Final = "debugLevel = 0\nHELO_reject = No_Check\nskip_addresses = 192.0.2.254/32\n"
_VERIFYING: Final = "AlwaysAddARHeader yes\nAuthservID relay.test\nNameservers 127.0.0.1@{port}\n"
_REPLACED: Final = """\
"Alice Buyer" <alice.buyer@example.net>\t"Buyer via Market" <b.7f3k9q@relay.test>
"Seller" <[^>]*>\t<user@mailbox.test>
"""
_OUTWARD: Final = """\
/^DKIM-Signature:.* d=relay\\.test;/ DUNNO
/^(Authentication-Results|Received-SPF):/ IGNORE
"""


class VerifyingPostfix(Postfix):
    """Postfix with verification in one or two `passes`."""

    def __init__(self, directory: Path, port: int, sink_port: int, *, dns_port: int, passes: Literal[1, 2]) -> None:
        super().__init__(directory, port, sink_port)
        self.name = f"postfix{passes}"
        self._dns_port, self._passes = dns_port, passes

    def _start_opendkim(self) -> None:
        (self._dir / "replaced").write_text(_REPLACED)
        (self._dir / "outward").write_text(_OUTWARD)
        (self._dir / "policy.py").write_text(_POLICY.format(port=self._dns_port))
        (self._dir / "policy.conf").write_text(_POLICY_SETTINGS)
        super()._start_opendkim()

    def _filters(self) -> list[str]:
        verifying = _VERIFYING.format(port=self._dns_port)
        nobody = "InternalHosts 192.0.2.254\n"
        if self._passes == 2:
            return [SIGNING.format(d=self._dir, n=0) + verifying + nobody + "Mode sv\nMTA OUTWARD\n"]
        return [
            f"Syslog no\nMode v\nSocket local:{self._dir}/opendkim0.sock\nUMask 000\nBackground no\nUserID 0\n"
            + verifying
            + nobody,
            SIGNING.format(d=self._dir, n=1)
            + f"Mode s\nInternalHosts 127.0.0.1\nReplaceRules {self._dir}/replaced\nReplaceHeaders From,To\n",
        ]

    def _more_settings(self) -> str:
        settings = "inward_restrictions = check_policy_service unix:private/policy\npolicy_time_limit = 3600\n"
        settings += f"smtp_header_checks = pcre:{self._dir}/outward pcre:{self._dir}/etc/header_checks\n"
        if self._passes == 2:
            return settings
        return settings + (
            "header_checks =\nsender_canonical_maps =\n"
            f"smtp_generic_maps = pcre:{self._dir}/etc/sender\n"
            f"smtpd_milters = unix:{self._dir}/opendkim0.sock, unix:{self._dir}/opendkim1.sock\n"
        )

    def _smtpd_options(self) -> list[str]:
        options = ["-o", "smtpd_recipient_restrictions=$inward_restrictions"]
        if self._passes == 2:
            options += [
                "-o",
                f"content_filter=reinject:[127.0.0.1]:{REINJECT_PORT}",
                "-o",
                "cleanup_service_name=inward",
            ]
        return options

    def _more_services(self) -> list[str]:
        policy = f"/usr/bin/python3 {self._dir}/policy.py {self._dir}/policy.conf"
        services = [f"policy unix - n n - 0 spawn user=nobody argv={policy}"]
        if self._passes == 2:
            untouched = "-o header_checks= -o sender_canonical_maps= -o virtual_alias_maps= -o always_bcc="
            services += [
                "reinject unix - - n - - smtp -o smtp_header_checks=",
                f"inward unix n - n - 0 cleanup {untouched}",
                f"127.0.0.1:{REINJECT_PORT} inet n - n - - smtpd -o milter_macro_daemon_name=OUTWARD",
            ]
        return services

    def verified(self) -> int:
        """Returns the number of mails in the archive that passed SPF and DKIM."""
        copies = (path.read_bytes() for path in (self._dir / "archive/mail/new").glob("*"))
        return sum(b"Received-SPF: Pass" in copy and b"dkim=pass" in copy for copy in copies)
