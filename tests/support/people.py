"""People with an account, and the telephones with their second factors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import pyotp

from app.domain.staff import Role
from app.models import Staff
from app.services.staff_sessions import Found, SignedIn
from app.wiring import Services
from tests.support.factories import ADDRESS, elsewhere

PASSWORD = "correct horse battery"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
T = TypeVar("T")


def account(services: Services, login: str = "anna", *roles: Role, password: str | None = PASSWORD) -> Staff:
    return services.staff.add(
        login=login,
        name=f"Dr {login.title()} Haus",
        roles=roles or [Role.RADIOLOGIST],
        password=password,
        at=services.clock(),
        actor="staff:test",
    )


def sign_in(
    services: Services, login: str = "anna", password: str = PASSWORD, *, address: str = ADDRESS
) -> str | None:
    return services.staff_sessions.sign_in(
        login, password, address=address, browser=BROWSER, at=services.clock()
    )


def found(services: Services, key: str | None, *, touches: bool = True) -> Found | None:
    return services.staff_sessions.find(key, at=services.clock(), touches=touches)


def who(services: Services, key: str | None) -> str | None:
    """The login of whoever is in with that key, with everything proved and nothing locked."""
    one = found(services, key)
    return one.person.login if isinstance(one, SignedIn) else None


def code(secret: str, at: datetime, *, steps: int = 0) -> str:
    """What the app shows, or shows ``steps`` half minutes later."""
    return pyotp.TOTP(secret).at(at + steps * timedelta(seconds=30))


def with_app(services: Services, person: Staff) -> tuple[str, list[str]]:
    """Set up a second factor: (its secret, the recovery codes). The code of this moment is used up."""
    secret = services.second_factor.begin(person).secret
    codes = services.second_factor.confirm(
        person, secret, code(secret, services.clock()), at=services.clock(), actor="staff:anna"
    )
    assert codes is not None
    return secret, codes


def at_once(services: Services, act: Callable[[Services], T], *, times: int = 2) -> list[T]:
    """The same act in several processes at the same moment."""
    places = [elsewhere(services) for _ in range(times)]
    barrier, answers = threading.Barrier(times), list[T]()

    def run(place: Services) -> None:
        barrier.wait()
        answers.append(act(place))

    threads = [threading.Thread(target=run, args=(place.services,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in places:
        place.close()
    return answers
