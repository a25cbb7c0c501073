"""Where a client's servers are: at an address, or at all that a host's name stands for."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from shared.client.transport import http_url

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The IP addresses of a host's name. Raises OSError when it has none."""


async def resolve(host: str) -> list[str]:
    """All A and AAAA records of a name, as this machine's resolver gives them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [address for address in addresses if "%" not in address]  # link-local ones need an interface as well


def name_in(url: str) -> str | None:
    """The host of a URL where it is a name that several servers may stand behind. Raises ``unreachable``."""
    host = http_url(url).host
    if host == "localhost" or host.endswith(".localhost"):
        return None  # has two addresses on most machines, and one server
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return None
