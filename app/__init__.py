"""Studykey: a patient portal beside an Orthanc DICOM server. Two doors, one program."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import wiring
from app.config import ROOT, Settings
from app.wiring import Clock, utc_now


def create_public_app(settings: Settings, *, clock: Clock = utc_now) -> Flask:
    """The door for people. Raises SettingsError."""
    from app import web
    from app.web import access, assets, bodies, csrf, errors, headers, hosts, i18n, origins, pages

    app = Flask("app", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    # The router's own redirects would name the host that the request claims: there are none.
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    wiring.wire(app, settings, processes=settings.public_workers, clock=clock)
    origins.init(app, settings)
    assets.init(app)  # the last to touch an answer
    bodies.init(app)  # before the CSRF check reads the form
    csrf.init(app, settings)
    i18n.init(app, settings.default_language, settings.time_zone, pages.wanted_languages)
    access.init(app)
    pages.init(app)
    app.after_request(wiring.end_transaction)
    headers.init(app, settings)
    errors.init(app)
    web.register(app)
    hosts.init(app, settings)
    if settings.trusted_hops:
        hops = settings.trusted_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=0)  # type: ignore[method-assign]
    return app


def create_internal_app(settings: Settings, *, clock: Clock = utc_now) -> Flask:
    """The door for Orthanc and monitoring; listens on loopback by default. Raises SettingsError."""
    from app import internal

    app = Flask("app", template_folder=None, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    wiring.wire(app, settings, processes=1, clock=clock)
    app.after_request(wiring.end_transaction)
    internal.register(app)
    return app
