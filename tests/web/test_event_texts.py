"""The audit trail in plain sentences."""

from __future__ import annotations

import pytest
from flask import Flask

from app.domain.events import Event
from app.web.event_texts import actor_text, event_text


@pytest.fixture(autouse=True)
def reader(public_app: Flask):  # type: ignore[no-untyped-def]
    with public_app.test_request_context():
        yield


@pytest.mark.parametrize("event", list(Event))
def test_every_event_is_a_sentence_with_and_without_its_facts(event: Event) -> None:
    facts = dict.fromkeys(
        [
            "until",
            "to",
            "login",
            "roles",
            "what",
            "archive",
            "file",
            "kid",
            "rows",
            "network",
            "visits",
            "why",
        ],
        "x",
    )
    for details in ({}, facts, {"login": None, "to": ""}, {"to": "x"}, {"roles": "desk"}):
        said = event_text(event, details)
        assert said.rstrip("\u2069")[-1] in ".x" and "%(" not in said and ":" not in said[:3]


def test_an_event_of_a_newer_version_is_named_as_it_is() -> None:
    assert "moon:landed" in event_text("moon:landed", {})


@pytest.mark.parametrize(
    ("event", "details", "said"),
    [
        ("grant:extended", {"until": "2027-11-20T09:00:00+00:00"}, "extended until Nov 20, 2027"),
        ("grant:extended", {"until": ""}, "extended until it is revoked"),
        ("grant:proved", {"outcome": "expired"}, "but the access had ended"),
        ("study:changed", {"what": "birth date"}, "birth date was changed"),
        (
            "staff:added",
            {"login": "otto", "roles": "desk,viewer"},
            "otto was added: front desk, may only look.",
        ),
        ("staff:changed", {"login": "otto", "password": "changed"}, "otto was given another password."),
        ("staff:link-made", {"login": "otto", "purpose": "invitation"}, "An invitation was made for otto."),
        ("grant:mailed", {"to": "l•••@example.org"}, "l•••@example.org"),
    ],
)
def test_facts_stand_in_the_sentence(event: str, details: dict[str, str], said: str) -> None:
    assert said in event_text(event, details)


def test_a_text_from_outside_keeps_its_direction_to_itself() -> None:
    assert "\u2068عيادة\u2069" in event_text("archive:open", {"archive": "عيادة"})


@pytest.mark.parametrize(
    ("actor", "said"),
    [
        ("staff:anna", "Dr Anna"),
        ("staff:gone", "gone"),
        ("staff:command-line", "on the server's command line"),
        ("archive:main", "archive main"),
        ("holder", "holder of the code"),
        ("studykey", "Studykey"),
    ],
)
def test_actors_are_named_for_people(actor: str, said: str) -> None:
    assert actor_text(actor, {"anna": "Dr Anna"}) == said
