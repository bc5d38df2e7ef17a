"""The clinic's rules: what can be set is checked, counts at once, and stands in the trail with what it was."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from app.domain.exclusion import LeftOut
from app.domain.staff import Role
from app.models import AuditEvent, SiteSetting
from app.services import rules
from app.services.rules import Rules, Unusable
from app.wiring import Services
from tests.support.factories import elsewhere, fake_archives, grants_of, registered, rows, study_in


def set_rules(services: Services, **changes: str) -> list[str]:
    changed = services.rules.set(changes, at=services.clock(), actor="staff:root")
    services.session.commit()
    return changed


def test_every_rule_is_read_back_as_it_was_written() -> None:
    for name in rules.NAMES:
        value = getattr(Rules, name)
        assert rules.read(name, rules.write(value)) == value


def test_a_change_counts_at_once_and_says_what_it_was(services: Services) -> None:
    assert set_rules(services, grant_days="60", lock_minutes="10") == ["grant_days"]
    assert set_rules(services, grant_days="30") == ["grant_days"]

    assert services.rules.now().grant_days == 30
    told = [row.details for row in rows(services, AuditEvent)]
    assert [str(details) for details in told if "60" in str(details)]
    assert "'was': '60'" in str(told[-1]).replace('"', "'")


def test_back_to_the_default_leaves_no_row(services: Services) -> None:
    set_rules(services, codes_paused="yes")
    set_rules(services, codes_paused="no")
    assert rows(services, SiteSetting) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grant_days", "-1"),
        ("grant_days", "3651"),
        ("grant_days", "٣٠"),
        ("share_days", ""),
        ("share_days", "0"),
        ("share_days", "7;30"),
        ("lock_minutes", "1441"),
        ("codes_paused", "maybe"),
        ("second_factor_roles", "device"),
        ("languages", "tlh"),
        ("code_modalities", "C-T"),
        ("code_excluded", "*"),
        ("code_excluded", "A*,* ^*"),
        ("code_excluded", "x" * 65),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(services: Services, name: str, value: str) -> None:
    with pytest.raises(Unusable, match=r"\.$"):
        set_rules(services, **{name: value})
    assert services.rules.now() == Rules()


def test_what_an_older_version_wrote_counts_as_absent(services: Services) -> None:
    services.session.add(SiteSetting(name="rule.lock_minutes", text="soon"))
    services.session.add(SiteSetting(name="rule.forgotten", text="1"))
    services.session.commit()
    assert services.rules.now() == Rules()
    assert services.site.facts().name == "Test Clinic"


def test_a_page_reads_the_settings_once_and_the_next_one_again(services: Services) -> None:
    asked: list[str] = []
    engine = services.session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    for _ in range(3):
        services.rules.now(), services.site.facts()
    assert len([one for one in asked if "site_setting" in one]) == 1

    services.session.rollback()  # the request has ended
    other = elsewhere(services)
    set_rules(other.services, grant_days="7")
    other.close()
    assert services.rules.now().grant_days == 7


def test_who_lacks_a_second_factor_is_named_by_role(services: Services) -> None:
    for login, roles in (("anna", [Role.ADMIN]), ("ben", [Role.DESK, Role.VIEWER])):
        services.staff.add(
            login=login,
            name=login,
            roles=roles,
            password="correct horse battery",
            at=services.clock(),
            actor="test",
        )
    services.session.commit()
    without = services.rules.without_second_factor()
    assert (without[Role.ADMIN], without[Role.DESK], without[Role.RADIOLOGIST]) == (["anna"], ["ben"], [])


@pytest.mark.parametrize(
    ("rule", "told", "why"),
    [
        ({"codes_paused": "yes"}, {}, LeftOut.PAUSED),
        ({"code_modalities": "MR"}, {}, LeftOut.MODALITY),
        ({"code_excluded": "PHANTOM*"}, {"patient_name": "Phantom^CT"}, LeftOut.PATIENT),
    ],
)
def test_a_study_that_is_left_out_gets_its_code_by_printing(
    services: Services, rule: dict[str, str], told: dict[str, str], why: LeftOut
) -> None:
    fake_archives(services)
    registered(services)
    set_rules(services, **rule)
    study = study_in(services, **told)
    study_id = study.id

    assert grants_of(services, study_id) == []
    assert [(one.id, reason) for one, reason in services.ingestion.would_leave_out(services.rules.now())] == [
        (study_id, why)
    ]
    kept = services.grants.issue([study], at=services.clock(), actor="staff:anna")
    services.session.commit()
    assert grants_of(services, study_id) == [kept.grant]


def test_after_a_pause_what_came_meanwhile_waits_until_somebody_asks_or_new_images_come(
    services: Services,
) -> None:
    fake = fake_archives(services)["main"]
    archive = registered(services)
    set_rules(services, codes_paused="yes")
    study = study_in(services)
    study_id, orthanc_id = study.id, study.orthanc_id
    set_rules(services, codes_paused="no")
    assert grants_of(services, study_id) == []

    fake.change(orthanc_id, instance_count=99)
    services.ingestion.take(archive, orthanc_id, at=services.clock())
    assert len(grants_of(services, study_id)) == 1
