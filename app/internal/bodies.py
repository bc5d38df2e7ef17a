"""Reading what a gate or plugin sent: JSON of any shape, and tokens of any origin, without an error."""

from __future__ import annotations

import json
from typing import Any

from flask import request

from app.config import ArchiveSettings

# In place of a value that is no text: equal to nothing, so that it isn't taken for absent.
NO_TEXT = "\0"


def json_object() -> dict[str, Any]:
    """The request's body; empty when it is no JSON object."""
    return object_in(request.get_data())


def object_in(body: bytes) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):  # no JSON; nested a thousand times over
        return {}
    return told if isinstance(told, dict) else {}


def is_from(archive: ArchiveSettings, body: dict[str, Any]) -> bool:
    """Whether the server that a body names, if it names one, is the archive whose password it brought."""
    named = body.get("server-id")
    return named is None or not archive.server_id or named == archive.server_id


def text_of(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else "" if value is None else NO_TEXT


def token_of(body: dict[str, Any]) -> str:
    """As a viewer sends it, without "Bearer"."""
    return text_of(body, "token-value").removeprefix("Bearer ").strip()
