"""What was typed into a search, for an address: sealed, so that no log, no proxy and no browser history can tell it.

Mostly it is a patient's name, so only who typed it opens the seal: a visitor during the visit, somebody with an account
for good. For them back, a bookmark and a second tab work as with any page; for anybody else it is no search.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress

from flask import g

from app.web import access
from app.web.context import services

LONGEST = 200  # characters typed


def typed(text: str) -> str:
    """One line, no longer than LONGEST."""
    return " ".join(text[:LONGEST].split())


def seal(text: str) -> str:
    """``text`` for an address; another one each time."""
    if not text:
        return ""
    kid, sealed = services().crypto.seal_text(_whose(), text)
    return f"{kid}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def unseal(sealed: str) -> str:
    """What was typed; "" for what is no seal of ours (any more)."""
    kid, _dot, encoded = sealed.partition(".")
    with suppress(KeyError, ValueError, binascii.Error):
        secret = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return services().crypto.unseal_text(_whose(), kid, secret)
    return ""


def _whose() -> str:
    """What a seal is bound to."""
    return (
        f"search of account {access.staff().id}"
        if "staff" in g
        else f"search of visit {access.visit().leader_id}"
    )
