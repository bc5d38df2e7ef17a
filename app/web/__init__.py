"""The public door: patients and staff. A view parses, calls one service, chooses the response."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    from app.web import patient, verify
    from app.web.staff import (  # noqa: F401  (more of the study's page)
        account,
        audit,
        bring,
        devices,
        explorer,
        grants,
        images,
        join,
        limits,
        mine,
        people,
        prints,
        release,
        report,
        report_file,
        report_settings,
        rules,
        rules_list,
        rules_new,
        selected,
        sessions,
        settings,
        share,
        sheets,
        splash,
        studies,
        study,
        study_page,
        text_blocks,
    )

    app.register_blueprint(patient.blueprint)
    app.register_blueprint(verify.blueprint)
    app.register_blueprint(sessions.blueprint)
    app.register_blueprint(studies.blueprint)
    app.register_blueprint(selected.blueprint)
    app.register_blueprint(study_page.blueprint)
    app.register_blueprint(grants.blueprint)
    app.register_blueprint(bring.blueprint)
    app.register_blueprint(share.blueprint)
    app.register_blueprint(audit.blueprint)
    app.register_blueprint(limits.blueprint)
    app.register_blueprint(sheets.blueprint)
    app.register_blueprint(splash.blueprint)
    app.register_blueprint(mine.blueprint)
    app.register_blueprint(explorer.blueprint)
    explorer.init(app)
    app.register_blueprint(rules.blueprint)
    app.register_blueprint(settings.blueprint)
    app.register_blueprint(report_settings.blueprint)
    app.register_blueprint(text_blocks.blueprint)
    for part in (account, devices, join, people):
        app.register_blueprint(part.blueprint)
