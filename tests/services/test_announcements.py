"""New studies of a rule by mail: initials only, batched, none lost, and nothing of what was there before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.adapters.mail import Mail
from app.domain.initials import initials
from app.domain.permissions import Permission
from app.domain.tag_match import How
from app.models import TagRule
from app.services.announcements import MAIL_EVERY
from app.services.tag_keys import Wanted
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import events, fake_archives, registered, study_in
from tests.support.post import Box, html_of, mail_server, text_of

TO = "moreno@clinic.example"


@pytest.fixture
def box(services: Services) -> Iterator[Box]:
    fake_archives(services)
    registered(services)
    with mail_server() as (box, settings):
        services.announcements._mail = Mail(settings, services.settings.base_url)
        yield box


def made(services: Services, *, to: str = TO) -> TagRule:
    rule, _paper = services.tag_rules.make(
        "Dr Ludwig Moreno",
        Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",)),
        permissions=Permission.VIEW,
        announce_to=to,
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()
    return rule


def arrives(services: Services, **changes: object) -> int:
    return study_in(services, referring_physician="Moreno^Ludwig", **changes).id


def announce(services: Services, clock: Clock, **passes: float) -> None:
    clock.forward(**(passes or {"seconds": 31}))
    while services.announcements.work(at=clock.now):
        pass


def test_a_new_study_is_announced_by_initials_and_no_code(services: Services, clock: Clock, box: Box) -> None:
    made(services)
    arrives(services, patient_name="Muster^Erika", patient_id="P-4711", description="Secret finding")

    announce(services, clock)

    (mail,) = box.mails
    for text in (text_of(mail), html_of(mail)):
        assert "M. E." in text
        assert "20" in text and "2026" in text
        for secret in ("Muster", "Erika", "4711", "Secret finding", "/#"):
            assert secret not in text
    assert "Muster" not in str(mail["Subject"])
    assert "rule:announced" in events(services)
    announce(services, clock, minutes=10)
    assert len(box.mails) == 1


def test_what_was_there_before_the_rule_is_no_news(services: Services, clock: Clock, box: Box) -> None:
    arrives(services)
    made(services)
    while services.tag_matching.work(at=clock.now):
        pass

    announce(services, clock)

    assert box.mails == []


def test_studies_of_some_minutes_travel_together(services: Services, clock: Clock, box: Box) -> None:
    made(services)
    arrives(services)
    announce(services, clock)
    for _ in range(25):
        arrives(services)
    announce(services, clock, minutes=1)
    assert len(box.mails) == 1

    announce(services, clock, seconds=MAIL_EVERY.total_seconds())

    assert len(box.mails) == 2
    assert "5 more" in text_of(box.mails[1])


def test_a_mail_server_that_is_away_loses_nothing(services: Services, clock: Clock, box: Box) -> None:
    rule = made(services)
    arrives(services)
    box.data_answer = "451 later"
    announce(services, clock)
    assert events(services).count("rule:announce-failed") == 1
    assert services.announcements.waiting(rule)[0] == 1
    box.data_answer = ""

    announce(services, clock, hours=1)

    assert len(box.mails) == 1
    assert services.announcements.waiting(rule)[0] == 0


def test_whoever_is_added_later_hears_only_of_later_studies(
    services: Services, clock: Clock, box: Box
) -> None:
    rule = made(services, to="")
    arrives(services)
    services.tag_rules.change(
        services.session.get_one(TagRule, rule.id),
        name=rule.name,
        back_days=None,
        may_give_on=False,
        announce_to=TO,
        members=[],
        at=clock.now,
        actor="staff:ada",
    )
    services.session.commit()
    announce(services, clock)
    assert box.mails == []

    arrives(services)
    announce(services, clock)

    assert len(box.mails) == 1


def test_a_rule_that_ended_or_whose_code_is_dead_announces_nothing(
    services: Services, clock: Clock, box: Box
) -> None:
    rule = made(services)
    arrives(services)
    services.grants.revoke(services.grants.by_id(rule.grant_id), at=clock.now, actor="staff:ada")
    services.session.commit()

    announce(services, clock)

    assert box.mails == []


def test_old_studies_are_not_told_by_mail(services: Services, clock: Clock, box: Box) -> None:
    """The rule doesn't show them, so nobody is sent to look for them."""
    rule = made(services)
    services.session.get_one(TagRule, rule.id).back_days = 30
    services.session.commit()
    arrives(services, study_date=(clock.now - timedelta(days=400)).date())

    announce(services, clock)

    assert box.mails == []
    assert services.announcements.waiting(rule)[0] == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Muster^Erika", "M. E."),
        ("Moreno", "M."),
        ("Ольга^Петрова", "О. П."),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Y. T."),
        ("山田^太郎", ""),
        ("김^희중", ""),
        ("O^E", ""),
        ("", ""),
        ("<script>^x1y", "S. X."),
        ("4711^0815", ""),
    ],
)
def test_initials_are_never_a_name(name: str, shown: str) -> None:
    assert initials(name) == shown
