"""The configuration: TOML text to frozen structures, all errors at once, each with its key path and the fix.

Every duration is in seconds (`_s`), every size in bytes (`_bytes`). `config.example.toml` names every key.
"""

from typing import Literal

import msgspec

from relay.core.model.marketplace import Fallback
from relay.core.policy.policy import BRACKETS


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server's certificate and key, PEM files."""

    certificate: str = "tls/cert.pem"
    key: str = "tls/key.pem"


class Listener(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One door. `port` 0 asks for a free one (printed in the ready line). `proxy_protocol` and XCLIENT are honoured
    from `front_hosts` only."""

    kind: Literal["mx", "submission", "lmtp"]
    host: str = "127.0.0.1"
    port: int
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    proxy_protocol: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    message_bytes: int = 26_214_400
    recipients: int = 100
    connections: int = 1_000
    connections_per_client: int = 50
    commands_per_session: int = 100_000
    errors_per_session: int = 20
    unknown_recipients_per_client: int = 20
    unknown_recipients_per_network: int = 200
    unknown_recipients_window_s: float = 3_600
    unknown_recipient_delay_s: float = 1
    command_idle_s: float = 300
    data_idle_s: float = 180
    session_s: float = 3_600
    mime_parts: int = 200
    mime_depth: int = 20
    header_bytes: int = 262_144
    header_fields: int = 1_000


class Networks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CIDR lists. `trusted`: free of connection and recipient cut-offs, known_domain fallback. `front_hosts`: MTAs and
    load balancers whose PROXY header or XCLIENT is believed. `plain_auth`: AUTH without TLS, loopback only."""

    trusted: list[str] = []
    front_hosts: list[str] = []
    plain_auth: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where mail for `domain` goes ("*": all) instead of its MX. `password_file` holds one line."""

    domain: str
    host: str
    port: int = 25
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: Literal["opportunistic", "required", "implicit", "none"] = "opportunistic"
    username: str = ""
    password_file: str = ""


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    first_s: float = 60
    factor: float = 2
    longest_s: float = 14_400
    jitter: float = 0.2
    expire_s: float = 432_000
    delayed_notice_s: float = 14_400
    domain_back_off_s: float = 60


class Delivery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The way out. `helo` is our name in EHLO; `ca_file` adds roots for verified TLS; `port` is where MX hosts listen."""

    helo: str = ""
    port: int = 25
    bind_ip: str = ""
    ca_file: str = ""
    concurrency: int = 50
    concurrency_per_destination: int = 20
    messages_per_connection: int = 100
    rate_per_destination_s: float = 0
    connect_timeout_s: float = 30
    command_timeout_s: float = 300
    idle_connection_s: float = 10
    lease_s: float = 300
    poll_s: float = 1
    ipv6: bool = True
    route: list[Route] = []
    retry: Retry = Retry()


class Dns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty `servers` means the system's resolver."""

    servers: list[str] = []
    port: int = 53
    timeout_s: float = 5
    cache_entries: int = 10_000


class Notices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    per_mailbox_per_hour: int = 30
    return_path_days: int = 14


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Health, readiness and metrics; port 0 asks for a free one."""

    host: str = "127.0.0.1"
    port: int = 8080


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Dkim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sign: bool = True
    algorithms: list[Literal["rsa-sha256", "ed25519-sha256"]] = ["rsa-sha256", "ed25519-sha256"]
    expire_s: int = 1_209_600


class PolicySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: str = "builtin-1"
    brackets: list[str] = list(BRACKETS)
    important_words: list[str] = ["重要", "Important"]
    auto_replies_per_day: int = 1
    hop_limit: int = 30
    pending_senders: int = 10


class MarketplaceSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One marketplace. `id` is its slug in commands and records; `operator` gets postmaster@ and abuse@."""

    id: str
    name: str
    domain: str
    operator: str
    mobile_domain: str = ""
    mobile_carriers: list[str] = [
        "docomo.ne.jp",
        "ezweb.ne.jp",
        "au.com",
        "softbank.ne.jp",
        "i.softbank.jp",
        "ymobile.ne.jp",
    ]
    locales: list[Literal["en", "ja"]] = ["en", "ja"]
    help_url: str
    authentication: Fallback = Fallback.HOLD
    reject_at_data: bool = False
    show_seller_name: bool = True
    show_buyer_name: bool = False
    policy: PolicySection = PolicySection()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`data_dir` holds the embedded store, keys and TLS files; relative paths elsewhere start from it."""

    data_dir: str = "var"
    hostname: str = "localhost"
    store: str = "sqlite:relay.db"
    master_key: str = "keys/master.key"
    listener: list[Listener] = []
    tls: Tls = Tls()
    limits: Limits = Limits()
    networks: Networks = Networks()
    delivery: Delivery = Delivery()
    dns: Dns = Dns()
    dkim: Dkim = Dkim()
    notices: Notices = Notices()
    web: Web = Web()
    log: Log = Log()
    marketplace: list[MarketplaceSection] = []
