"""Reading what a gate or plugin sent: JSON of any shape, and tokens of any origin, without an error."""

from __future__ import annotations

from typing import Any

from flask import request

# In place of a value that is no text: equal to nothing, so that it isn't taken for absent.
NO_TEXT = "\0"


def json_object() -> dict[str, Any]:
    """The body; empty when it is no JSON object."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # nested a thousand times over
        body = None
    return body if isinstance(body, dict) else {}


def text_of(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else "" if value is None else NO_TEXT


def token_of(body: dict[str, Any]) -> str:
    """As a viewer sends it, without "Bearer"."""
    return text_of(body, "token-value").removeprefix("Bearer ").strip()
