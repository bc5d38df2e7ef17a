"""The public door: patients and staff. A view parses, calls one service, chooses the response."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    from app.web import patient
    from app.web.staff import (  # noqa: F401  (more of the study's page)
        account,
        audit,
        devices,
        grants,
        images,
        join,
        limits,
        people,
        prints,
        selected,
        sessions,
        settings,
        share,
        sheets,
        splash,
        studies,
        study,
        study_page,
    )

    app.register_blueprint(patient.blueprint)
    app.register_blueprint(sessions.blueprint)
    app.register_blueprint(studies.blueprint)
    app.register_blueprint(selected.blueprint)
    app.register_blueprint(study_page.blueprint)
    app.register_blueprint(grants.blueprint)
    app.register_blueprint(share.blueprint)
    app.register_blueprint(audit.blueprint)
    app.register_blueprint(limits.blueprint)
    app.register_blueprint(sheets.blueprint)
    app.register_blueprint(splash.blueprint)
    app.register_blueprint(settings.blueprint)
    for part in (account, devices, join, people):
        app.register_blueprint(part.blueprint)
