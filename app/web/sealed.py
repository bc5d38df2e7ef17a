"""What was typed into a search, for an address: sealed, so that no log, no proxy and no browser history can tell it.

Mostly it is a patient's name. Back, a bookmark and a second tab work as with any page.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress

from app.web.context import services

LONGEST = 200  # characters typed
_CONTEXT = "search"  # what the seal is bound to


def typed(text: str) -> str:
    """One line, no longer than LONGEST."""
    return " ".join(text[:LONGEST].split())


def seal(text: str) -> str:
    """``text`` for an address; another one each time."""
    if not text:
        return ""
    kid, sealed = services().crypto.seal_text(_CONTEXT, text)
    return f"{kid}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def unseal(sealed: str) -> str:
    """What was typed; "" for what is no seal of ours (any more)."""
    kid, _dot, encoded = sealed.partition(".")
    with suppress(KeyError, ValueError, binascii.Error):
        secret = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return services().crypto.unseal_text(_CONTEXT, kid, secret)
    return ""
