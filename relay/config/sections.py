"""The configuration's sections as frozen structures: each key with its type, range and default.

Every duration is in seconds (`_s`), every size in bytes (`_bytes`). `config.example.toml` names every key.
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
    """The server's certificate and key, PEM files."""

    certificate: Text = "tls/cert.pem"
    key: Text = "tls/key.pem"


class Listener(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One port to listen on.

    `port` 0 asks for a free one (printed in the ready line). `proxy_protocol` and XCLIENT are accepted from
    `front_hosts` only.
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
    """The worker processes that judge and rewrite messages which take long.

    `waiting` messages at most wait for a worker, each `wait_s` at most. The work on one message for one recipient may
    use `cpu_s` seconds of a processor and `memory_bytes`, and takes `deadline_s` at most; after `tries` attempts that
    used up time or memory the message is refused. A worker is replaced after `tasks_per_worker` pieces of work.
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
    """CIDR lists.

    `trusted`: no cut-off for connections and recipients, and "known_domain" applies. `front_hosts`: mail servers and
    load balancers whose PROXY header or XCLIENT is accepted. `plain_auth`: AUTH without TLS, loopback only.
    """

    trusted: tuple[Cidr, ...] = ()
    front_hosts: tuple[Cidr, ...] = ()
    plain_auth: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The host for mail to `domain` ("*": all mail) instead of its MX. `password_file` has one line."""

    domain: RouteDomain
    host: HostOrIp
    port: RemotePort = 25
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: Literal["opportunistic", "required", "implicit", "none"] = "opportunistic"
    username: str = ""
    password_file: str = ""


class DeliverySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Outgoing mail.

    `helo` is the relay's name in EHLO; `ca_file` adds roots for verified TLS; `port` is the port of MX hosts.
    `allowed_networks`: addresses outside the public internet to which MX records may lead. `attempt_timeout_s` ends a
    whole delivery, and one that takes longer than `slow_after_s` gets no more than a quarter of the connections.
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
    attempt_timeout_s: Duration = 900
    slow_after_s: Duration = 15
    idle_connection_s: Wait = 10
    lease_s: Duration = 300
    poll_s: Duration = 1
    ipv6: bool = True
    route: tuple[Route, ...] = ()
    retry: Schedule = Schedule()


class Dns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty `servers` means the system's resolver."""

    servers: tuple[Ip, ...] = ()
    port: RemotePort = 53
    timeout_s: Duration = 5
    cache_entries: Whole = 10_000


class ScannerSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A virus or spam scanner that checks every message.

    `timeout_s` is the time from connecting to the answer. `spam_actions` and `password_file`, which has one line, are
    for Rspamd only.
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
    digest_s: Duration = 86_400
    sweep_s: Duration = 60


class RecordSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of mail whose From address is neither proven nor listed.

    It is kept for `stranger_body_s`, at most `stranger_bytes_per_day`.
    """

    stranger_body_s: Duration = 604_800
    stranger_bytes_per_day: Whole = 104_857_600


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed links, health, readiness and metrics; port 0 asks for a free one.

    `public_url` is the address of this server in links ("": its host and port). A connection has `head_s` to send the
    head of a request, `body_s` for its body and `answer_s` for the answer until it is read. It may be idle for `idle_s`
    between two requests.
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
    """One [[marketplace]] table. `policies` is the directory of its policy files, "" for the built-in policy."""

    policies: str = ""


class AuthenticationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Verification of mail without a login.

    `verify`: whether SPF, DKIM, DMARC and ARC are verified; if not, `authentication` of each marketplace decides.
    `trusted_authserv_id`: the name in Authentication-Results fields of servers in `networks.front_hosts`, whose results
    are used instead of the relay's own. `trusted_sealers`: domains whose ARC seals are accepted.
    """

    verify: bool = True
    trusted_authserv_id: str = ""
    trusted_sealers: tuple[MailDomain, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration.

    `data_dir`, relative to the configuration file's directory, has the embedded store, keys and TLS files; other
    relative paths start from it, except `policies`, which start from the configuration file.
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
