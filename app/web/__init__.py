"""The public door: patients and staff. A view parses, calls one service, chooses the response."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    from app.web import patient
    from app.web.staff import sessions, studies, study

    app.register_blueprint(patient.blueprint)
    app.register_blueprint(sessions.blueprint)
    app.register_blueprint(studies.blueprint)
    app.register_blueprint(study.blueprint)
