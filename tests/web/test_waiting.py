"""Asked to wait: the form comes back as it was typed, says how long, and can send itself again."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.adapters.hash_slots import Busy
from app.models import Attempt
from app.services.limits import TooManyFailures
from app.services.proof import Claim, Proof, Verdict
from app.wiring import EXTENSION
from tests.support.factories import UNKNOWN_CODE, rows
from tests.support.portal import Portal, public_services
from tests.web.test_staff_study import signed_in


class Refusing(Proof):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def check(self, claim: Claim, *, at: Any) -> Verdict:
        raise self._error


def refuse(portal: Portal, error: Exception) -> None:
    portal.app.extensions[EXTENSION] = replace(public_services(portal.app), proof=Refusing(error))


@pytest.mark.parametrize(
    ("error", "status", "seconds"),
    [
        (TooManyFailures(timedelta(seconds=41.2)), 429, 42),
        (Busy(timedelta(seconds=3)), 503, 3),
    ],
)
def test_the_form_comes_back_as_typed_and_says_when_it_sends_itself_again(
    portal: Portal, error: Exception, status: int, seconds: int
) -> None:
    refuse(portal, error)

    answer = portal.prove(go="study")

    assert (answer.status_code, answer.headers["Retry-After"]) == (status, str(seconds))
    for name, value in (portal.typed | {"go": "study"}).items():
        assert f'value="{value}"' in answer.text, name
    assert f'data-wait="{seconds}" data-go="study" data-by-itself="1"' in answer.text
    assert "press the button again" in answer.text, "without script"
    assert 'role="alert"' not in answer.text, "nobody did anything wrong"
    assert "wait.js" in answer.text
    assert portal.paper.code.symbols not in str(answer.headers)


def test_a_password_is_not_given_back_so_the_form_waits_for_the_person(portal: Portal) -> None:
    refuse(portal, Busy())

    page = portal.prove(password="4829173065").text

    assert "4829173065" not in page
    assert "data-by-itself" not in page
    assert "Please type the password once more" in html.unescape(page)


def test_nobody_is_asked_to_sit_out_an_hour(portal: Portal) -> None:
    refuse(portal, TooManyFailures(timedelta(minutes=50)))

    page = portal.prove().text

    assert "data-by-itself" not in page
    assert re.search(r"Minutes to wait:\s+51", page)


def test_the_second_chance_survives_a_wait(portal: Portal) -> None:
    refused = portal.prove(year="1957")
    found = re.search(r'name="again" value="([^"]{43})"', refused.text)
    assert found is not None
    refuse(portal, Busy())

    page = portal.prove(again=found[1]).text

    assert f'name="again" value="{found[1]}"' in page


def test_an_unknown_code_gets_a_second_chance_too(portal: Portal) -> None:
    answer = portal.prove(code=UNKNOWN_CODE.grouped)

    assert re.search(r'name="again" value="[^"]{43}"', answer.text)


def test_a_forged_second_chance_is_only_text(portal: Portal) -> None:
    answer = portal.prove(year="1957", again='"><script>x</script>')

    assert answer.status_code == 403
    assert "<script>x" not in answer.text


def test_a_network_at_its_limit_is_told_so_by_the_real_door(portal: Portal) -> None:
    _failures(portal, 10, "127.0.0.1")
    before = len(rows(portal.services, Attempt))

    answer = portal.prove()

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert len(rows(portal.services, Attempt)) == before


def test_health_and_staff_pages_tell_of_an_attack(portal: Portal, internal_client: FlaskClient) -> None:
    desk = signed_in(portal)
    assert "Somebody is guessing" not in desk.get("/staff/").text
    quiet = internal_client.get("/health").json
    _failures(portal, 301, "192.0.2.1")
    loud = internal_client.get("/health")

    assert quiet is not None and quiet["attack"] == {"alarm": False, "unknown-codes-in-5-min": 0}
    assert loud.json is not None and loud.json["attack"] == {"alarm": True, "unknown-codes-in-5-min": 301}
    assert "Somebody is guessing" in desk.get("/staff/").text
    for public in ("/staff/sign-in", "/?another"):
        stranger = portal.app.test_client().get(public, base_url=portal.base)
        assert "Somebody is guessing" not in stranger.text


def _failures(portal: Portal, times: int, network: str) -> None:
    row = {"at": portal.now, "network": network, "wide_network": "", "outcome": "refused"}
    portal.services.session.execute(insert(Attempt), [row] * times)
    portal.services.session.commit()
