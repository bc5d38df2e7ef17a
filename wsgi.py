"""The two WSGI apps that a server loads: ``wsgi:public`` and ``wsgi:internal``, each built when asked for."""

from __future__ import annotations

from flask import Flask

from app import create_internal_app, create_public_app
from app.config import Settings


def __getattr__(name: str) -> Flask:
    makers = {"public": create_public_app, "internal": create_internal_app}
    if name not in makers:
        raise AttributeError(name)
    return makers[name](Settings.from_env())
