"""The formats of texts that only the configuration file needs. `core.setting` has the formats that core needs too."""

import ipaddress
from typing import Annotated, Final
from urllib.parse import urlsplit

from relay.core.setting import Format, SettingFlag, checked_by, host_name, matching, web_url


def _route_domain(text: str) -> None:
    if text != "*":
        host_name(text)


def _host_or_ip(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        host_name(text)


def _scanner_address(text: str) -> None:
    if text.startswith(("http://", "https://")):
        web_url(text)
    elif not text.startswith("unix:/"):
        parts = urlsplit(f"//{text}")
        if not parts.hostname or not parts.port or parts.netloc != text or parts.username is not None:
            raise ValueError(text)
        _host_or_ip(parts.hostname)


HOST_NAME: Final = Format("a host name", "mx.shop.example", checked_by(host_name))
HOST_OR_IP: Final = Format("an IP address or a host name", "127.0.0.1", checked_by(_host_or_ip))
IP: Final = Format("an IP address", "192.0.2.1", checked_by(ipaddress.ip_address))
CIDR: Final = Format("a network in CIDR form without host bits", "192.0.2.0/24", checked_by(ipaddress.ip_network))
STORE: Final = Format(
    "a store address", "sqlite:relay.db or postgresql://user@host/name", matching(r"sqlite:.+|postgres(ql)?://.+")
)
ROUTE_DOMAIN: Final = Format('a mail domain or "*"', "shop.example", checked_by(_route_domain))
SCANNER: Final = Format(
    "a scanner's address",
    "127.0.0.1:3310, unix:/run/clamav/clamd.ctl or http://127.0.0.1:11333",
    checked_by(_scanner_address),
)

HostName = Annotated[str, HOST_NAME]
HostOrIp = Annotated[str, HOST_OR_IP, SettingFlag.NOT_EMPTY]
Ip = Annotated[str, IP]
Cidr = Annotated[str, CIDR, SettingFlag.NOT_EMPTY]
StoreUrl = Annotated[str, STORE, SettingFlag.NOT_EMPTY]
RouteDomain = Annotated[str, ROUTE_DOMAIN, SettingFlag.NOT_EMPTY]
ScannerAddress = Annotated[str, SCANNER, SettingFlag.NOT_EMPTY]
