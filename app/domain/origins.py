"""Which websites may send requests here, by the Origin that a browser names (RFC 6454, WHATWG Fetch "origin").

A pattern is an origin as browsers write it, ``https://images.example.org`` or ``http://[::1]:8042``: scheme, host and
port are exact. The first label may be ``*``: one or more whole labels, so ``https://*.example.org`` is
``https://a.example.org`` and ``https://a.b.example.org``, never ``https://example.org`` or ``https://badexample.org``.
Refuses every Origin that isn't spelled as browsers spell it, "null" with them. The gate in Orthanc has the same rule,
in a file of its own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
LABELS = rf"{_LABEL}(?:\.{_LABEL})*"
ORIGIN = re.compile(rf"(https?)://({LABELS}|\[[0-9a-f:.]+\])(?::([1-9][0-9]{{0,4}}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}


def pattern(text: str) -> str:
    """The pattern as it is compared: lower case, ASCII, without the scheme's own port. Raises ValueError."""
    scheme, _, rest = text.strip().lower().partition("://")
    host, colon, port = rest.rpartition(":") if re.search(r":[0-9]*$", rest) else (rest, "", "")
    is_wild = host.startswith("*.")
    name = _host(host[2:] if is_wild else host)
    found = ORIGIN.fullmatch(f"{scheme}://{name}{colon}{port}")
    if found is None or int(port or 1) > 65535:
        raise ValueError(f"{text!r} is no origin like https://images.example.org or https://*.example.org")
    # A name that ends in a number is an address to browsers, and whoever may use all of .org is everybody.
    if is_wild and not re.search(r"\.[a-z0-9_-]*[a-z][a-z0-9_-]*$", name):
        raise ValueError(f"{text!r}: two labels or more have to follow the star")
    suffix = "" if port in ("", DEFAULT_PORTS[scheme]) else f":{port}"
    return f"{scheme}://{'*.' if is_wild else ''}{name}{suffix}"


def _host(host: str) -> str:
    if host.startswith("["):
        return f"[{ipaddress.IPv6Address(host.strip('[]'))}]"
    return host if host.isascii() else host.encode("idna").decode()


class Origins:
    """``patterns``: see ``pattern``. ``own``: the door's own origin, allowed as well. Raises ValueError."""

    def __init__(self, patterns: Iterable[str], *, own: str = "") -> None:
        allowed = [re.escape(pattern(one)).replace(r"\*", LABELS) for one in patterns]
        self._allowed = re.compile("|".join([*allowed, re.escape(own)] if own else allowed) or r"(?!)")

    def refuses(self, origin: str | None) -> bool:
        """Whether a request with this Origin header is refused; None: it has none (no browser's script or form)."""
        return origin is not None and not self._allowed.fullmatch(origin)


def of(url: str) -> str:
    """The origin of an address that Studykey was configured with; empty for none. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    return pattern(f"{scheme}://{rest.partition('/')[0]}") if url else ""
