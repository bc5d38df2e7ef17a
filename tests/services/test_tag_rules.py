"""Access by DICOM tag: what a rule opens, at once and later, and what it never does."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import Grant, Study, StudyTagKey, TagRule, TagRuleKey, TagRuleMatch, grant_study
from app.services import rule_preview, rule_studies, tag_matching
from app.services.follower import Follower
from app.services.grants import Paper
from app.services.study_search import Wanted as ListWanted
from app.services.tag_keys import Wanted
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    archive_row,
    events,
    fake_archives,
    own_session,
    record,
    registered,
    rows,
    study_in,
)
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.people import account

MORENO = Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",))
VIEW = Permission.VIEW | Permission.REPORT


@pytest.fixture(autouse=True)
def clinic(services: Services) -> None:
    fake_archives(services)
    registered(services)


def made(services: Services, wanted: Wanted = MORENO, back_days: int | None = None) -> tuple[TagRule, Paper]:
    rule, paper = services.tag_rules.make(
        "Dr Ludwig Moreno",
        wanted,
        permissions=VIEW,
        back_days=back_days,
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()
    return rule, paper


def match_all(services: Services) -> None:
    while services.tag_matching.work(at=services.clock()):
        pass


def shown(services: Services, rule: TagRule, text: str = "") -> list[int]:
    services.session.rollback()
    page = services.rule_studies.page(rule, text=text, at=services.clock())
    return [row.study.id for row in page.rows]


def corrected(services: Services, study: Study, **changes: str) -> None:
    """The archive tells the same study with other tags."""
    fake = services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    told = record(
        orthanc_id=study.orthanc_id,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        updated_at=services.clock(),
        **changes,
    )
    fake.put(told)
    services.ingestion.take(archive_row(services), told.orthanc_id, at=services.clock())


def test_a_study_that_arrives_is_in_the_list_at_once(services: Services) -> None:
    rule, _ = made(services)

    study = study_in(services, referring_physician="MORENO^LUDWIG^^Dr")
    other = study_in(services, referring_physician="Haus^Anna")

    assert shown(services, rule) == [study.id]
    assert other.id not in shown(services, rule)


def test_studies_from_before_the_rule_come_in_the_background(services: Services) -> None:
    before = [study_in(services, referring_physician="Moreno^Ludwig").id for _ in range(3)]
    study_in(services, referring_physician="Moreno^L")

    rule, _ = made(services)
    assert shown(services, rule) == []
    match_all(services)

    assert shown(services, rule) == sorted(before, reverse=True)
    assert rows(services, TagRule)[0].match_below is None


def test_the_background_matching_goes_on_where_it_stopped_whichever_value_was_found(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_matching, "BATCH", 2)
    wards = ["Ward 7", "Ward 8", "Ward 8", "Ward 8", "Ward 7", "Ward 9", "Ward 8", "Ward 7"]
    ids = [study_in(services, institution_name=ward).id for ward in wards]
    rule, _ = made(services, Wanted("InstitutionName", How.WORDS, ("Ward 7", "Ward 8")))

    looked_at = []
    while found := services.tag_matching.work(at=services.clock()):
        looked_at.append(found)

    assert max(looked_at) == 2
    assert shown(services, rule) == sorted(set(ids) - {ids[5]}, reverse=True)


def test_a_study_whose_tag_is_corrected_leaves_the_list_and_the_grant(services: Services) -> None:
    rule, paper = made(services)
    study = study_in(services, referring_physician="Moreno^Ludwig")
    assert shown(services, rule) == [study.id]

    corrected(services, study, referring_physician="Haus^Anna")

    assert shown(services, rule) == []
    with own_session(services)() as session:
        assert not session.execute(select(grant_study).where(grant_study.c.grant_id == rule.grant_id)).all()
    corrected(services, study, referring_physician="Moreno^Ludwig")
    assert shown(services, rule) == [study.id]


def test_a_rule_that_ends_opens_nothing(services: Services) -> None:
    rule, paper = made(services)
    study_in(services, referring_physician="Moreno^Ludwig")

    services.tag_rules.end(services.session.get_one(TagRule, rule.id), at=services.clock(), actor="staff:ada")
    services.session.commit()
    study_in(services, referring_physician="Moreno^Ludwig")
    match_all(services)

    assert rows(services, TagRuleMatch) == []
    assert services.session.get_one(Grant, rule.grant_id).revoked_at is not None


def test_how_far_back_is_counted_from_today(services: Services, clock: Clock) -> None:
    rule, _ = made(services, back_days=30)
    old = study_in(
        services, referring_physician="Moreno^Ludwig", study_date=clock.now.date() - timedelta(days=31)
    )
    new = study_in(
        services, referring_physician="Moreno^Ludwig", study_date=clock.now.date() - timedelta(days=3)
    )

    assert shown(services, rule) == [new.id]
    assert services.rule_studies.one(rule, old.id, at=services.clock()) is None
    clock.now += timedelta(days=28)
    assert shown(services, rule) == []


def test_the_newest_study_comes_first_and_pages_go_on(services: Services) -> None:
    rule, _ = made(services)
    days = [date(2026, 11, 1) + timedelta(days=(7 * number) % 20) for number in range(60)]
    ids = {study_in(services, referring_physician="Moreno^Ludwig", study_date=day).id: day for day in days}

    first = services.rule_studies.page(rule, at=services.clock())
    rest = services.rule_studies.page(rule, before=first.next_before, at=services.clock())

    listed = [row.study.id for row in (*first.rows, *rest.rows)]
    assert listed == sorted(ids, key=lambda one: (ids[one], one), reverse=True)
    assert rest.next_before is None


def test_a_search_stays_within_the_rule(services: Services) -> None:
    rule, _ = made(services)
    mine = study_in(services, referring_physician="Moreno^Ludwig", patient_name="Muster^Erika")
    study_in(services, referring_physician="Haus^Anna", patient_name="Muster^Erika")

    assert shown(services, rule, "erika") == [mine.id]
    for text in ("nobody", "%", "*", "_", "' OR 1=1 --", '"', "haus"):
        assert shown(services, rule, text) == [], text


@pytest.mark.parametrize(
    ("walk", "rare"), [(5_000, 2_000), (3, 2_000), (3, 2)], ids=["newest", "looked up", "frequent"]
)
def test_a_search_finds_the_same_however_far_down_it_has_to_go(
    services: Services, monkeypatch: pytest.MonkeyPatch, walk: int, rare: int
) -> None:
    monkeypatch.setattr(rule_studies, "WALK", walk)
    monkeypatch.setattr(rule_studies, "RARE", rare)
    monkeypatch.setattr(rule_studies, "PAGE_SIZE", 2)
    rule, _ = made(services)
    names = ["Muster^Erika", "Haus^Anna", "Muster^Erik", "Haus^Anna", "Haus^Ben", "Muster^Jo", "Haus^Anna"]
    ids = [study_in(services, referring_physician="Moreno^Ludwig", patient_name=name).id for name in names]
    study_in(services, referring_physician="Haus^Anna", patient_name="Muster^Erika")

    found: list[int] = []
    page = services.rule_studies.page(rule, text="muster", at=services.clock())
    found += [row.study.id for row in page.rows]
    while page.next_before:
        page = services.rule_studies.page(rule, text="muster", before=page.next_before, at=services.clock())
        found += [row.study.id for row in page.rows]

    assert found == [ids[5], ids[2], ids[0]]


def test_new_until_somebody_opens_it(services: Services) -> None:
    rule, _ = made(services)
    study = study_in(services, referring_physician="Moreno^Ludwig")

    assert services.rule_studies.page(rule, at=services.clock()).rows[0].is_new
    tag_matching.note_opening(services.session, rule, study.id, at=services.clock())
    services.session.commit()

    assert not services.rule_studies.page(rule, at=services.clock()).rows[0].is_new


def test_a_preview_shows_what_matches_and_what_nearly_does(services: Services) -> None:
    hit = study_in(services, referring_physician="Moreno^Ludwig^^Dr")
    study_in(services, referring_physician="MORENO^L")
    study_in(services, referring_physician="MORENO^L")
    study_in(services, referring_physician="Haus^Anna")

    preview = services.tag_rules.preview(MORENO)

    assert (preview.count, [study.id for study in preview.newest]) == (1, [hit.id])
    assert [(near.value, near.studies) for near in preview.near] == [("MORENO^L", 2)]


@pytest.mark.parametrize("tag", ["InstitutionName", "RequestingService"])
def test_a_preview_counts_exactly_what_is_written_so(
    services: Services, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    monkeypatch.setattr(rule_preview, "BATCH", 2)

    def made_at(place: str) -> int:
        told = {"other_tags": {tag: place}} if tag == "RequestingService" else {"institution_name": place}
        return study_in(services, **told).id

    ids = [made_at(place) for place in ("Ward 7", "WARD 7", "ward-7", "WARD 7", "Ward 8", "Ward 7")]

    preview = services.tag_rules.preview(Wanted(tag, How.EXACT, ("Ward 7",)))

    assert (preview.count, [study.id for study in preview.newest]) == (2, [ids[5], ids[0]])
    assert {(near.value, near.studies) for near in preview.near} == {("WARD 7", 2), ("ward-7", 1)}


@pytest.mark.parametrize("value", ["*", "%", "_", "^", "", "?", "Moreno^*", ".*", "M%"])
def test_no_wildcard_in_a_rule_widens_it(services: Services, value: str) -> None:
    study_in(services, referring_physician="Moreno^Ludwig")
    study_in(services, referring_physician="")
    rule, _ = made(services, Wanted("ReferringPhysicianName", How.NAME, (value,)))
    match_all(services)

    assert shown(services, rule) == []


def test_exactly_and_a_list(services: Services) -> None:
    one = study_in(services, institution_name="Ward 7")
    study_in(services, institution_name="WARD 7")
    two = study_in(services, institution_name="Ward 8")
    rule, _ = made(services, Wanted("InstitutionName", How.EXACT, ("Ward 7", "Ward 8")))
    match_all(services)

    assert shown(services, rule) == [two.id, one.id]


def test_a_group_names_no_study_of_its_own(services: Services) -> None:
    """Its grant opens thousands: nothing that looks at the grants of a study, or the studies of a grant, meets it."""
    rule, paper = made(services)
    study = study_in(services, referring_physician="Moreno^Ludwig")

    services.session.rollback()
    grant = services.grants.by_ref(paper.grant.ref)
    assert grant is not None
    assert grant.studies == []
    assert [one.kind for one in services.grants.of_study(study)] == ["patient"]


def test_studies_from_before_there_were_keys_get_theirs(services: Services) -> None:
    study = study_in(services, referring_physician="Moreno^Ludwig")
    rule, _ = made(services)
    services.session.execute(delete(StudyTagKey))
    services.session.execute(update(Study).values(tag_keys_at=None))
    services.session.commit()
    match_all(services)
    assert shown(services, rule) == []

    while services.tag_matching.fill(at=services.clock()):
        pass

    assert shown(services, rule) == [study.id]


def test_keys_that_an_older_version_made_are_made_anew_and_matches_that_were_wrong_end(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = study_in(services, referring_physician="Moreno^Ludwig").id
    wrong = study_in(services, referring_physician="Haus^Anna").id
    rule, _ = made(services)
    match_all(services)
    rule_id, grant_id = rule.id, rule.grant_id
    with own_session(
        services
    ).begin() as session:  # as if its keys had been the same once, then migration 0014
        at = services.clock()
        session.add(
            TagRuleMatch(rule_id=rule_id, study_id=wrong, listed_on=at.date(), matched_at=at, announced_at=at)
        )
        session.execute(insert(grant_study).values(grant_id=grant_id, study_id=wrong))
        session.execute(delete(StudyTagKey))
        session.execute(delete(TagRuleKey))
        session.execute(update(Study).values(tag_keys_at=None))

    once = threading.Event()
    monkeypatch.setattr(Follower, "turn", lambda *_: once.set())
    services.follower().run(once)
    corrected(services, services.session.get_one(Study, right), referring_physician="Moreno^Ludwig")
    assert set(shown(services, services.session.get_one(TagRule, rule_id))) == {right, wrong}
    while services.tag_matching.fill(at=services.clock()):
        pass
    match_all(services)

    services.session.expire_all()
    assert shown(services, services.session.get_one(TagRule, rule_id)) == [right]
    with own_session(services)() as session:
        named = session.scalars(select(grant_study.c.study_id).where(grant_study.c.grant_id == grant_id))
        assert named.all() == [right]
    assert study_in(services, referring_physician="Moreno^Ludwig").id in shown(services, rule)


def test_a_new_code_opens_the_same_studies_and_the_old_one_none(services: Services) -> None:
    rule, old = made(services)
    before, old_id = study_in(services, referring_physician="Moreno^Ludwig").id, old.grant.id

    paper = services.tag_rules.rotate(
        services.session.get_one(TagRule, rule.id), at=services.clock(), actor="staff:ada"
    )
    services.session.commit()
    after = study_in(services, referring_physician="Moreno^Ludwig").id

    assert paper is not None
    with own_session(services)() as session:
        found = session.execute(select(grant_study)).all()
        now = session.get_one(TagRule, rule.id).grant_id
        dead = session.get_one(Grant, old_id)
    assert {row.study_id for row in found if row.grant_id == now} == {before, after}
    assert not [row for row in found if row.grant_id == old_id]
    assert dead.revoked_at is not None
    assert paper.code.symbols != old.code.symbols
    assert paper.grant.expires_at == dead.expires_at


def test_a_rule_that_ended_gets_no_new_code(services: Services) -> None:
    rule, _ = made(services)
    found = services.session.get_one(TagRule, rule.id)
    services.tag_rules.end(found, at=services.clock(), actor="staff:ada")
    services.session.commit()

    assert services.tag_rules.rotate(found, at=services.clock(), actor="staff:ada") is None


def test_accounts_have_the_rules_that_name_them_until_these_end(services: Services) -> None:
    person = account(services, "moreno", Role.PHYSICIAN)
    rule, _ = made(services)
    found = services.session.get_one(TagRule, rule.id)
    services.tag_rules.change(
        found,
        name=rule.name,
        back_days=None,
        may_give_on=False,
        announce_to="",
        members=[person.id],
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()

    assert [one.id for one in services.tag_rules.of_member(person)] == [rule.id]
    services.tag_rules.end(found, at=services.clock(), actor="staff:ada")
    assert services.tag_rules.of_member(person) == []


def test_a_label_opens_a_study_as_long_as_it_has_it(services: Services) -> None:
    rule, _ = made(services, Wanted("Labels", How.WORDS, ("ward-7",)))
    study = study_in(services, other_tags={"Labels": "teaching\\ward-7"})
    assert shown(services, rule) == [study.id]

    fake = services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    fake.change(study.orthanc_id, other_tags={"Labels": "teaching"})
    services.ingestion.take(archive_row(services), study.orthanc_id, at=services.clock())

    assert shown(services, rule) == []


def test_a_preview_counts_only_the_days_that_the_rule_shows(services: Services) -> None:
    study_in(services, referring_physician="Moreno^Ludwig", study_date=date(2020, 1, 1))
    new = study_in(services, referring_physician="Moreno^Ludwig")

    preview = services.tag_rules.preview(MORENO, back_days=30, at=services.clock())

    assert (preview.count, [study.id for study in preview.newest]) == (1, [new.id])


def test_showing_a_groups_code_is_on_record(services: Services) -> None:
    _, paper = made(services)
    grant = services.grants.by_id(paper.grant.id)

    assert services.grants.show(grant, at=services.clock(), actor="staff:ada") is not None

    assert "grant:shown" in events(services)


def test_the_story_of_a_group_is_read_though_it_has_no_studies_of_its_own(services: Services) -> None:
    _, paper = made(services)
    study_in(services, referring_physician="Moreno^Ludwig")

    story = services.timeline.of_grant(services.grants.by_id(paper.grant.id))

    assert "grant:issued" in [entry.event for entry in story.entries]


def test_a_group_is_no_share_of_each_study(services: Services) -> None:
    made(services)
    study = study_in(services, referring_physician="Moreno^Ludwig")

    page = services.worklist.page(ListWanted(), at=services.clock())

    assert [row.shares for row in page.rows if row.id == study.id] == [0]
