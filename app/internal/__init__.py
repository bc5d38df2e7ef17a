"""The internal door: Orthanc's questions and signals, and monitoring. Never for people or the internet."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    from app.internal import authorization, errors, health, signals

    app.register_blueprint(authorization.blueprint)
    app.register_blueprint(signals.blueprint)
    app.register_blueprint(health.blueprint)
    errors.init(app)
