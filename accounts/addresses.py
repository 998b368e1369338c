"""Where a request comes from. A proxy's word counts only if `server.trusted_proxies` has it."""

import re
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What proxies write besides a bare address: 192.0.2.1:567, [2001:db8::1], [2001:db8::1]:567.
WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\](?::\d{1,5})?|(?P<v4>[\d.]+):\d{1,5})", re.ASCII)


def client_address(request: HttpRequest) -> str:
    """The client's address, as far as it can be believed; empty if it has none (a Unix socket).

    Every proxy adds the address it was called from at the right end of `X-Forwarded-For`.
    So, read from there, the first one that is not a trusted proxy's is the client's, and
    what stands left of it is only the client's own claim.
    """
    believed = _parsed(request.META.get("REMOTE_ADDR", ""))
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while believed and hops and _is_trusted(believed):
        hop = _parsed(hops.pop())
        if hop is None:
            break
        believed = hop
    return str(believed or "")


def is_trusted_proxy(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and _is_trusted(parsed)


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in _networks(*settings.CONFIG.server.trusted_proxies))


@cache
def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def _parsed(text: str) -> Address | None:
    """In one form: IPv4 is not wrapped into IPv6, and no zone, which may be any text, stays."""
    text = text.strip()
    if match := WITH_PORT.fullmatch(text):
        text = match["v6"] or match["v4"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address
