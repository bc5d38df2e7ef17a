"""The internal door: Orthanc's questions and signals, and monitoring. Never for people or the internet."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    from app.internal import (
        access,
        authorization,
        emails,
        errors,
        health,
        profiles,
        roles,
        share_tokens,
        signals,
        validate,
    )

    access.init(app)
    app.register_blueprint(authorization.blueprint)
    app.register_blueprint(share_tokens.blueprint)
    app.register_blueprint(emails.blueprint)
    app.register_blueprint(profiles.blueprint)
    app.register_blueprint(roles.blueprint)
    app.register_blueprint(signals.blueprint)
    app.register_blueprint(health.blueprint)
    errors.init(app)
    validate.init(app)
