"""People with an account, and their browsers at the staff door."""

from __future__ import annotations

import re
from dataclasses import replace

import pyotp
from werkzeug.test import TestResponse

from app.domain.staff import Role
from app.models import Staff
from app.services.staff_links import Purpose
from app.wiring import Services
from tests.support.portal import Portal

PASSWORD = "correct horse battery"
ANOTHER = "purple monkey dishwasher"


def person(
    services: Services, login: str = "anna", *roles: Role, name: str = "", password: str | None = PASSWORD
) -> Staff:
    """An account; a radiologist unless roles are given."""
    return services.staff.add(
        login=login,
        name=name or f"Dr {login.title()} Haus",
        roles=roles or [Role.RADIOLOGIST],
        password=password,
        at=services.clock(),
        actor="cli",
    )


def link(services: Services, somebody: Staff, purpose: Purpose, *, may_change: bool = True) -> str:
    return services.staff_links.make(
        somebody, purpose, may_change=may_change, by="root", at=services.clock(), actor="staff:root"
    )


def another_browser(portal: Portal) -> Portal:
    """The same clinic from another browser, where nobody is signed in."""
    return replace(portal, client=portal.app.test_client())


def sign_in(portal: Portal, login: str = "anna", password: str = PASSWORD, **more: str) -> TestResponse:
    return portal.post("/staff/sign-in", login=login, password=password, **more)


def signed_in(portal: Portal, *roles: Role, login: str = "anna") -> Portal:
    """A fresh browser in which somebody of these roles is signed in."""
    if portal.services.staff.by_login(login) is None:
        person(portal.services, login, *roles)
    browser = another_browser(portal)
    answer = sign_in(browser, login)
    assert answer.status_code == 303, answer.text
    return browser


def code_of(secret: str, portal: Portal) -> str:
    """What the authenticator app shows at this moment."""
    return pyotp.TOTP(secret).at(portal.now)


def hidden(answer: TestResponse, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None, f"no field {name}"
    return found[1]


def key_of(portal: Portal) -> str:
    cookie = portal.client.get_cookie("studykey_staff")
    assert cookie is not None
    return cookie.value
