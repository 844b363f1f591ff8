"""Who is at the other end of a connection: a page of ours, a page of somebody else's, this user.

A browser sends what foreign pages tell it to, so a request that carries no token is believed only
with the marks by which a browser says where it came from.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Address = tuple[str, int]


@dataclass(frozen=True)
class Peer:
    """The other end of a connection.

    Attributes:
        method: The HTTP method of its request.
        headers: The request's headers, names in lower case.
        client: Its address and port.
        server: The address and port that it reached.
        scheme: `http` or `https`.
    """

    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    client: Address = ("", 0)
    server: Address = ("", 0)
    scheme: str = "http"

    @property
    def cookies(self) -> dict[str, str]:
        """The request's cookies."""
        pairs = (piece.partition("=") for piece in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip() for name, equals, value in pairs if equals}

    @property
    def from_own_page(self) -> bool:
        """Whether a browser sent this for a page of this very address and port.

        Another port of the same machine is another origin: it may be another user's.
        """
        return self.headers.get("origin") == f"{self.scheme}://{self.headers.get('host')}"

    @property
    def may_use_cookie(self) -> bool:
        """Whether a cookie says who this is. One that a foreign page made the browser send doesn't.

        Browsers say with each POST which page it is from, and with each GET to this machine from
        what kind of place. A POST without that mark isn't a browser's.
        """
        if "origin" in self.headers:
            return self.from_own_page
        place = self.headers.get("sec-fetch-site")
        if place is not None:
            return place in ("same-origin", "none")
        return self.method == "POST"

    @property
    def is_this_user(self) -> bool:
        """Whether the other end is a process on this machine of the user who runs this server.

        Such a process could read the credentials file as well. The address in `Host` must be this
        machine's own too: a foreign name that was bent to point here is a foreign page's.
        """
        return (
            _is_loopback(self.client[0])
            and _is_loopback(_host_name(self.headers.get("host", "")))
            and _owner(self.client, self.server) == os.getuid()
        )


def peer_of(scope: Mapping[str, Any], headers: Mapping[str, str]) -> Peer:
    """The other end of an ASGI request's connection."""
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("", 0)
    return Peer(
        scope["method"],
        headers,
        (client[0], client[1] or 0),
        (server[0], server[1] or 0),
        scope.get("scheme", "http"),
    )


def _host_name(host: str) -> str:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.strip("[]").lower()


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _owner(client: Address, server: Address) -> int | None:
    """The user id behind a connection of this machine, as Linux lists it; None if it doesn't."""
    wanted = (_packed(client), _packed(server))
    if None in wanted:
        return None
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if len(columns) > 7 and (_listed(columns[1]), _listed(columns[2])) == wanted:
                return int(columns[7])
    return None


def _packed(address: Address) -> tuple[int, int] | None:
    try:
        found = ipaddress.ip_address(address[0])
    except ValueError:
        return None
    found = getattr(found, "ipv4_mapped", None) or found
    return int(found), address[1]


def _listed(text: str) -> tuple[int, int] | None:
    """An entry such as `0100007F:1F48`: words of four bytes in the machine's order, and a port."""
    words, _, port = text.partition(":")
    try:
        raw = bytes.fromhex(words)
        ordered = b"".join(
            int.from_bytes(raw[start : start + 4], "big").to_bytes(4, sys.byteorder)
            for start in range(0, len(raw), 4)
        )
        return _packed((str(ipaddress.ip_address(ordered)), int(port, 16)))
    except ValueError:
        return None
