"""Mail addresses as staff type them: read strictly, and masked for the audit trail.

Takes what real mailboxes look like; refuses what RFC 5321 would allow but nobody has (quoted local parts, address
literals), names with comments, lists, and anything that is not plain ASCII.
"""

from __future__ import annotations

import re

MAX_LENGTH = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets
_MAX_LOCAL = 64  # RFC 5321 section 4.5.3.1.1
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322 section 3.2.3
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1035 section 2.3.4
_ADDRESS = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?:{_LABEL}\.)+(?=[A-Za-z])(?P<top>{_LABEL})")


def read(text: str) -> str | None:
    """The one address in ``text``, spaces around it ignored; None when it is none, or more than one."""
    address = text.strip()
    if len(address) > MAX_LENGTH:
        return None
    found = _ADDRESS.fullmatch(address)
    return address if found and len(found["local"]) <= _MAX_LOCAL else None


def masked(address: str) -> str:
    """Enough to recognise it, too little to write to: ``d•••@example.org``."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"
