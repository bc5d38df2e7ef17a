"""The public door as a person's browser meets it, without a browser: forms with their CSRF token, cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Study
from app.services.grants import Paper
from app.wiring import EXTENSION, Services
from tests.support.factories import BORN, fresh_clinic

AGAIN = re.compile(r'name="again" value="[^"]*"')
TOKEN = re.compile(r'name="csrf_token" value="([^"]*)"')


def public_services(app: Flask) -> Services:
    services: Services = app.extensions[EXTENSION]
    return services


def visible(answer: TestResponse) -> str:
    """The page without what differs each time it is made."""
    return AGAIN.sub("", TOKEN.sub("", answer.text))


@dataclass
class Portal:
    """``services`` prepares and looks behind the scenes; ``client`` is the holder's browser."""

    app: Flask
    client: FlaskClient
    services: Services
    study: Study
    paper: Paper
    study_id: int
    uid: str
    base: str = "http://localhost"

    @property
    def csrf(self) -> str:
        found = TOKEN.search(self.get("/?another").text)
        assert found is not None
        return found[1]

    def get(self, path: str, **options: object) -> TestResponse:
        return self.client.get(path, base_url=self.base, buffered=True, **options)  # type: ignore[arg-type]

    def post(self, path: str, *, headers: dict[str, str] | None = None, **fields: str) -> TestResponse:
        return self.client.post(
            path,
            data={"csrf_token": self.csrf, **fields},
            base_url=self.base,
            headers={"Referer": self.base + "/", **(headers or {})},
        )

    def prove(self, *, headers: dict[str, str] | None = None, **fields: str) -> TestResponse:
        """The landing form as its holder fills it, with changes."""
        return self.post("/", headers=headers, **(self.typed | fields))

    @property
    def typed(self) -> dict[str, str]:
        born = {"day": str(BORN.day), "month": str(BORN.month), "year": str(BORN.year)}
        return {"code": self.paper.code.grouped, **born, "go": "images"}

    @property
    def now(self) -> datetime:
        return self.services.clock()

    @property
    def cookie(self) -> str | None:
        """The visit's key in this browser."""
        for name in ("studykey_visit", "__Host-studykey_visit"):
            if found := self.client.get_cookie(name, domain=self.base.partition("//")[2]):
                return found.value
        return None


def portal_of(app: Flask, services: Services, *, base: str = "http://localhost") -> Portal:
    """A browser before the landing page, and a sheet in its holder's hand."""
    study, paper = fresh_clinic(services)
    study_id, uid = study.id, study.study_instance_uid
    services.session.rollback()
    public_services(app).orthancs.update(services.orthancs)
    return Portal(app, app.test_client(), services, study, paper, study_id, uid, base)
