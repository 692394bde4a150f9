"""The sections of the configuration file as frozen structures: each key with its type, its range and its default.

Every duration is in seconds (`_s`) and every size in bytes (`_bytes`). `config.example.toml` explains every key.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from relay.config.formats import Cidr, HostName, HostOrIp, Ip, RouteDomain, ScannerAddress, StoreUrl
from relay.core.mail.mime import MimeLimits
from relay.core.model.marketplace import MarketplaceSettings
from relay.core.model.operator_limits import OperatorLimits
from relay.core.model.policy import Policy
from relay.core.retry import Schedule
from relay.core.setting import (
    Bounds,
    Duration,
    MailDomain,
    OptionalWebUrl,
    Positive,
    SettingFlag,
    Text,
    Wait,
    Whole,
)

Port = Annotated[int, Bounds(ge=0, le=65_535)]
RemotePort = Annotated[int, Bounds(ge=1, le=65_535)]

_POLICY = Policy()
_MIME = MimeLimits()
_OPERATOR = OperatorLimits()


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paths of the server's certificate and of its private key, both in PEM form."""

    certificate: Text = "tls/cert.pem"
    key: Text = "tls/key.pem"


class Listener(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One port on which the relay accepts SMTP or LMTP connections.

    If `port` is 0, a free port is chosen and printed in the line that says that the relay is ready. With
    `proxy_protocol`, each connection begins with a PROXY header; the PROXY header and the command XCLIENT are accepted
    only from clients in `networks.front_hosts`.
    """

    kind: Literal["mx", "submission", "lmtp"]
    host: HostOrIp = "127.0.0.1"
    port: Port
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    proxy_protocol: bool = False


class SmtpLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    message_bytes: Positive = _POLICY.limits.message_bytes
    recipients: Positive = 100
    bytes_times_recipients: Positive = 67_108_864
    unread_bytes: Positive = 536_870_912
    unread_bytes_unproven: Positive = 268_435_456
    unread_bytes_per_client: Positive = 67_108_864
    judged_bytes: Positive = 33_554_432
    operator_message_bytes: Positive = _OPERATOR.message_bytes
    operator_messages_per_client: Positive = _OPERATOR.messages_per_client
    operator_bytes_per_client: Positive = _OPERATOR.bytes_per_client
    connections: Positive = 1_000
    connections_per_client: Positive = 50
    commands_per_session: Positive = 100_000
    errors_per_session: Positive = 20
    unknown_recipients_per_client: Positive = 20
    unknown_recipients_per_network: Positive = 200
    unknown_recipients_window_s: Duration = 3_600
    unknown_recipient_delay_s: Wait = 1
    failed_logins_per_client: Positive = 20
    failed_logins_per_network: Positive = 100
    failed_logins_per_account: Positive = 50
    failed_logins_window_s: Duration = 3_600
    logins_waiting: Positive = 32
    handshake_s: Duration = 15
    scarce_idle_s: Duration = 30
    command_idle_s: Duration = 300
    data_idle_s: Duration = 180
    data_bytes_per_s: Positive = 500
    session_s: Duration = 3_600
    mime_parts: Positive = _MIME.parts
    mime_depth: Positive = _MIME.depth
    header_bytes: Positive = _MIME.header_bytes
    header_fields: Positive = _MIME.header_fields

    @property
    def mime(self) -> MimeLimits:
        return MimeLimits(
            parts=self.mime_parts,
            depth=self.mime_depth,
            header_bytes=self.header_bytes,
            header_fields=self.header_fields,
        )

    @property
    def operator_mail(self) -> OperatorLimits:
        return OperatorLimits(
            message_bytes=self.operator_message_bytes,
            messages_per_client=self.operator_messages_per_client,
            bytes_per_client=self.operator_bytes_per_client,
        )


class HeavyMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the worker processes, which judge and rewrite the messages that take a long time.

    At most `waiting` messages wait for a worker, each for at most `wait_s`; any further message gets a 451 reply.
    `workers_per_party` and `waiting_per_party` limit the messages of one party. The work on one message for one
    recipient may use `cpu_s` seconds of processor time and `memory_bytes`; a message that exceeds them in `tries`
    attempts is refused. The work may take at most `deadline_s` by the clock. A worker is replaced after
    `tasks_per_worker` pieces of work.
    """

    workers: Positive = 2
    workers_per_party: Positive = 1
    waiting: Positive = 100
    waiting_per_party: Positive = 10
    wait_s: Duration = 60
    cpu_s: Positive = 30
    deadline_s: Duration = 120
    memory_bytes: Positive = 234_881_024
    tasks_per_worker: Positive = 500
    tries: Positive = 3


class Networks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The networks whose clients have more rights than other clients, in CIDR form.

    Clients in `trusted` have no limits of connections and of unknown recipients, and the fallback "known_domain"
    applies to their mail. `front_hosts` are the mail servers and load balancers whose PROXY header or XCLIENT command
    is accepted. `plain_auth` allows logins without TLS, on listeners on a loopback address only.
    """

    trusted: tuple[Cidr, ...] = ()
    front_hosts: tuple[Cidr, ...] = ()
    plain_auth: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The host to which mail for `domain` is sent, instead of the hosts in the MX records of the domain.

    `domain` is "*" for all mail. `password_file` is the path of a file with one line, the password for `username`.
    """

    domain: RouteDomain
    host: HostOrIp
    port: RemotePort = 25
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: Literal["opportunistic", "required", "implicit", "none"] = "opportunistic"
    username: str = ""
    password_file: str = ""


class DeliverySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of outgoing mail.

    `helo` is the relay's name in EHLO. `ca_file` is a file with further root certificates for verified TLS. `port` is
    the port of the hosts in MX records. `allowed_networks` are networks outside the public internet to which the DNS of
    a recipient may lead. `attempt_timeout_s` is the longest time of a whole delivery up to its final dot, and
    `final_reply_timeout_s` the longest wait for the answer after it, for which RFC 5321 §4.5.3.2.6 asks ten minutes. A
    delivery that takes longer than `slow_after_s` counts as slow; all slow deliveries together may use a quarter of
    `concurrency` and of `memory_bytes`.
    """

    helo: HostName = ""
    port: RemotePort = 25
    bind_ip: Ip = ""
    ca_file: str = ""
    concurrency: Positive = 50
    concurrency_per_destination: Positive = 20
    messages_per_connection: Positive = 100
    memory_bytes: Positive = 33_554_432
    rate_per_destination_s: Wait = 0
    allowed_networks: tuple[Cidr, ...] = ()
    connect_timeout_s: Duration = 30
    greeting_timeout_s: Duration = 60
    command_timeout_s: Duration = 300
    final_reply_timeout_s: Duration = 600
    attempt_timeout_s: Duration = 900
    slow_after_s: Duration = 15
    idle_connection_s: Wait = 10
    lease_s: Duration = 300
    poll_s: Duration = 1
    ipv6: bool = True
    route: tuple[Route, ...] = ()
    retry: Schedule = Schedule()


class Dns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of DNS look-ups. If `servers` is empty, the DNS servers of the operating system are asked."""

    servers: tuple[Ip, ...] = ()
    port: RemotePort = 53
    timeout_s: Duration = 5
    cache_entries: Whole = 10_000


class ScannerSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A virus or spam scanner that checks every message.

    `when_away` decides about a message if the scanner does not answer. `timeout_s` is the longest time from connecting
    to the answer. For Rspamd only, `spam_actions` are its actions that count as spam, and `password_file` is the path
    of a file with one line, its password.
    """

    kind: Literal["clamav", "rspamd"]
    address: ScannerAddress
    when_away: Literal["hold", "pass", "tempfail"] = "hold"
    timeout_s: Duration = 30
    spam_actions: tuple[
        Literal["reject", "soft reject", "add header", "rewrite subject", "greylist", "quarantine", "discard"], ...
    ] = ("reject",)
    password_file: str = ""


class Notices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    per_mailbox_per_hour: Positive = 30
    return_path_s: Duration = 1_209_600
    reports_per_message: Whole = 10
    report_bytes_per_message: Whole = 5_000_000
    digest_s: Duration = 31_536_000
    sweep_s: Duration = 60


class RecordSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits for storing the content of mail whose From address is neither proven nor listed.

    The content is kept for `stranger_body_s` seconds. At most `stranger_bytes_per_day` bytes are stored per day.
    No client network gets more than a quarter of what the others have left.
    """

    stranger_body_s: Duration = 604_800
    stranger_bytes_per_day: Whole = 104_857_600


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The web server for signed links, health, readiness and metrics.

    If `port` is 0, a free port is chosen. `public_url` is the beginning of the URLs in mails; "" means that it is made
    of `host` and `port`. A client has `head_s` seconds to send the head of a request, `body_s` to send its body, and
    `answer_s` to read the answer. A connection may be idle for `idle_s` seconds between two requests.
    """

    host: HostOrIp = "127.0.0.1"
    port: Port = 8080
    public_url: OptionalWebUrl = ""
    link_life_s: Duration = 5_184_000
    connections: Positive = 200
    connections_per_client: Positive = 50
    head_s: Duration = 10
    body_s: Duration = 20
    answer_s: Duration = 30
    idle_s: Duration = 5


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Dkim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sign: bool = True
    algorithms: tuple[Literal["rsa-sha256", "ed25519-sha256"], ...] = ("rsa-sha256", "ed25519-sha256")
    expire_s: Positive = 1_209_600


@dataclass(frozen=True, kw_only=True)
class MarketplaceSection(MarketplaceSettings):
    """The settings of one [[marketplace]] table.

    `policies` is the directory of the marketplace's policy files; "" means the built-in policy.
    """

    policies: str = ""


class AuthenticationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings for verifying mail that comes without a login.

    `verify` is True if the relay verifies SPF, DKIM, DMARC and ARC; otherwise the setting `authentication` of the
    marketplace decides about all such mail. `trusted_authserv_id` is the name that the servers in
    `networks.front_hosts` write into Authentication-Results fields; their results are used instead of the relay's own,
    unless the name is "". `trusted_sealers` are the domains whose ARC seals are accepted.
    """

    verify: bool = True
    trusted_authserv_id: str = ""
    trusted_sealers: tuple[MailDomain, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration.

    `data_dir` is the directory of the SQLite store, the keys and the TLS files. A relative `data_dir`, and the relative
    path `policies` of a marketplace, start from the directory of the configuration file. Any other relative path starts
    from `data_dir`.
    """

    data_dir: Text = "var"
    hostname: Annotated[HostName, SettingFlag.NOT_EMPTY] = "localhost"
    store: StoreUrl = "sqlite:relay.db"
    master_key: Text = "keys/master.key"
    listener: tuple[Listener, ...] = ()
    tls: Tls = Tls()
    limits: SmtpLimits = SmtpLimits()
    heavy_mail: HeavyMail = HeavyMail()
    networks: Networks = Networks()
    delivery: DeliverySection = DeliverySection()
    dns: Dns = Dns()
    dkim: Dkim = Dkim()
    authentication: AuthenticationSection = AuthenticationSection()
    scanner: tuple[ScannerSection, ...] = ()
    notices: Notices = Notices()
    record: RecordSection = RecordSection()
    web: Web = Web()
    log: Log = Log()
    marketplace: tuple[MarketplaceSection, ...] = ()
