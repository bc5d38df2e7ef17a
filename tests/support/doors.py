"""The two doors that a worker's tests share: routes, templates and SQL are compiled once, all else is every test's own.

Refuses to share what was changed: a test with settings of its own gets apps of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from app import create_internal_app, wiring
from app.adapters.pdf import Renderer
from app.adapters.pdf_files import PdfFiles
from app.config import Settings
from app.internal import validate
from app.models import db
from app.wiring import EXTENSION, Services, Workers
from tests.support.clock import Clock

Create = Callable[..., Flask]


class Compiled(BytecodeCache):
    """Templates are compiled once a run, not once an app."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


class Doors:
    """``settings``: those of tests that don't change them, with the database that they share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._workers = Workers(Renderer(workers=1), PdfFiles(workers=1))
        self._made: dict[Create, tuple[Flask, dict[str, Any]]] = {}

    @contextmanager
    def open(self, create: Create, settings: Settings, clock: Clock) -> Iterator[Flask]:
        """The door that ``create`` makes, with services that no test used before."""
        app = self._again(create, clock) if settings == self.settings else _new(create, settings, clock)
        services: Services = app.extensions[EXTENSION]
        yield app
        services.authorization.close()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
        if services.renderer is not self._workers.renderer:
            services.renderer.close()
            services.pdf_files.close()

    def close(self) -> None:
        self._workers.renderer.close()
        self._workers.pdf_files.close()

    def _again(self, create: Create, clock: Clock) -> Flask:
        if create not in self._made:
            app = _new(create, self.settings, clock)
            self._made[create] = app, dict(app.config)
            app.extensions[EXTENSION].authorization.close()
        app, config = self._made[create]
        app.config.clear()
        app.config.update(config)
        wiring.furnish(app, self.settings, self._workers, 1, clock)
        if create is create_internal_app:  # its lanes know the services
            app.wsgi_app = MethodType(Flask.wsgi_app, app)  # type: ignore[method-assign]
            validate.init(app)
        return app


def _new(create: Create, settings: Settings, clock: Clock) -> Flask:
    app = create(settings, clock=clock)
    app.testing = True
    app.jinja_env.bytecode_cache = COMPILED
    return app
