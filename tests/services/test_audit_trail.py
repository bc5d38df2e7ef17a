"""Reading the audit trail: whatever was done to it in the database shows; a purge breaks nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.adapters import keys
from app.config import Settings
from app.domain.audit_chain import Head
from app.domain.events import Event
from app.models import AuditEvent, db
from app.services.audit import StoreUnavailable
from app.services.audit_trail import BATCH, ChainBroken
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, DAY, elsewhere, rows

ROWS = 10


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """An instance folder of its own: the head outside of the database is kept there."""
    return settings.with_(instance=tmp_path)


@pytest.fixture
def trail(services: Services, clock: Clock) -> Services:
    """Ten rows, a minute between them."""
    write(services, clock)
    return services


def write(services: Services, clock: Clock, count: int = ROWS) -> None:
    for number in range(count):
        services.audit.record(
            Event.STAFF_REFUSED, at=services.clock(), actor="unknown", address=ADDRESS, number=number
        )
        clock.forward(minutes=1)


def tamper(*statements: str) -> None:
    """As somebody with the database's own password would: triggers are no obstacle."""
    with db.engine.begin() as connection:
        if db.engine.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER IF EXISTS audit_event_stays"))
            connection.execute(text("DROP TRIGGER IF EXISTS audit_event_kept"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_event_kept ON audit_event"))
        for statement in statements:
            connection.execute(text(statement))


def findings(services: Services, *outside: Head) -> list[tuple[int, str]]:
    return [(found.row_id, found.why) for found in services.trail.verify(outside).findings]


def test_an_untouched_trail_is_whole_and_its_rows_are_counted(trail: Services) -> None:
    told: list[int] = []

    result = trail.trail.verify([trail.trail.head()], progress=told.append)

    assert (result.checked, result.unchained, result.findings) == (ROWS, 0, [])
    assert sum(told) == trail.trail.size() == ROWS


def test_an_empty_trail_is_whole(services: Services) -> None:
    assert services.trail.verify([Head(0, b"")]).findings == []


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'holder'",
        "address = NULL",
        "event = 'staff:signed-in'",
        "details = '{\"number\": 5}'",
        "at = '2026-01-01 00:00:00.000000'",
        "mac = (SELECT mac FROM audit_event WHERE id = 3)",
    ],
)
def test_a_rewritten_row_is_caught(trail: Services, change: str) -> None:
    tamper(f"UPDATE audit_event SET {change} WHERE id = 5")

    assert findings(trail)[0] == (5, "it was changed, or the row before it was exchanged")


def test_every_rewritten_row_is_named(trail: Services) -> None:
    tamper("UPDATE audit_event SET actor = 'x' WHERE id IN (3, 7)")

    assert [row_id for row_id, _ in findings(trail)] == [3, 7]


def test_a_dropped_row_is_caught(trail: Services) -> None:
    tamper("DELETE FROM audit_event WHERE id = 5")

    assert findings(trail) == [(5, "it is missing")]


def test_a_dropped_row_is_caught_when_the_others_are_renumbered(trail: Services) -> None:
    tamper(
        "DELETE FROM audit_event WHERE id = 5",
        *(f"UPDATE audit_event SET id = {number - 1} WHERE id = {number}" for number in range(6, ROWS + 1)),
        f"UPDATE audit_chain SET last_id = {ROWS - 1}",
    )

    assert findings(trail)[0][0] == 5


def test_an_added_row_is_caught(trail: Services) -> None:
    copied = "event, at, actor, address, grant_id, study_id, details, mac, kid"
    tamper(f"INSERT INTO audit_event (id, {copied}) SELECT 11, {copied} FROM audit_event WHERE id = 10")

    assert findings(trail)[0] == (11, "it was changed, or the row before it was exchanged")


def test_two_exchanged_rows_are_caught(trail: Services) -> None:
    tamper(
        "UPDATE audit_event SET id = 99 WHERE id = 5",
        "UPDATE audit_event SET id = 5 WHERE id = 6",
        "UPDATE audit_event SET id = 6 WHERE id = 99",
    )

    assert findings(trail)[0][0] == 5


def test_a_cut_off_end_is_caught(trail: Services) -> None:
    tamper("DELETE FROM audit_event WHERE id > 7")

    assert (8, "rows 8 to 10 are missing: the end was cut off") in findings(trail)


CUT = (
    "UPDATE audit_chain SET last_id = 7, last_mac = (SELECT mac FROM audit_event WHERE id = 7)",
    "DELETE FROM audit_event WHERE id > 7",
)


def test_a_cut_off_end_is_caught_when_the_ends_are_changed_too(trail: Services) -> None:
    tamper(*CUT)

    assert "ends were changed" in findings(trail)[0][1]


def test_what_is_written_after_a_cut_does_not_heal_it(trail: Services, clock: Clock) -> None:
    tamper(*CUT)

    write(trail, clock, 5)

    assert rows(trail, AuditEvent)[-1].id == 12
    assert "ends were changed" in findings(trail)[0][1]


def test_a_cut_with_the_ends_of_that_time_put_back_is_caught_by_the_head_outside(
    services: Services, clock: Clock
) -> None:
    write(services, clock, 7)
    with db.engine.connect() as connection:
        old = connection.execute(text("SELECT * FROM audit_chain")).one()
    write(services, clock, 3)
    outside = services.trail.head()
    services.trail.keep_head()
    tamper("DELETE FROM audit_event WHERE id > 7")
    with db.engine.begin() as connection:
        connection.execute(
            text("UPDATE audit_chain SET last_id = :last_id, last_mac = :last_mac, seal = :seal"),
            dict(old._mapping),
        )
    assert findings(services) == []  # nothing in the database can tell

    assert findings(services, outside)[0][0] == 10
    write(services, clock, 5)
    assert findings(services, outside) == [(10, "a head kept outside names another row of this number")]
    services.trail.keep_head()
    assert services.trail.kept_head() == outside, "the follower doesn't overwrite the proof"


def test_ends_put_back_to_the_very_beginning_are_caught(trail: Services) -> None:
    tamper(
        "UPDATE audit_chain SET last_id = 10, purged_id = 10, last_mac = purged_mac, seal = NULL, kid = NULL"
    )

    assert findings(trail)[0] == (1, "it stands before the beginning of the chain")


def test_lost_ends_are_an_error(trail: Services) -> None:
    tamper("DELETE FROM audit_chain")

    with pytest.raises(StoreUnavailable):
        trail.trail.verify()


def test_rows_stay_verifiable_over_a_rotation_and_name_the_keys_they_need(
    trail: Services, clock: Clock, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = keys.read(settings.keys_file)
    fresh = keys.Key("pepper-newest", b"n" * 32)
    peppers = (*ring.keys["pepper"], fresh)
    rotated = keys.Keyring(ring.site_salt, {**ring.keys, "pepper": peppers})
    monkeypatch.setattr(keys, "read", lambda _: rotated)
    after = elsewhere(trail).services

    write(after, clock, 3)

    assert rows(trail, AuditEvent)[-1].kid == "pepper-newest"
    assert after.trail.verify().findings == []
    assert after.trail.kids() == {ring.keys["pepper"][0].kid, "pepper-newest"}
    with pytest.raises(StoreUnavailable):
        write(trail, clock, 1)  # a process that has not got the new key
    assert [row_id for row_id, _ in findings(trail)][:3] == [11, 12, 13]


class TestPurge:
    @staticmethod
    def purged(services: Services, *, before: timedelta) -> int:
        return sum(services.trail.purge(before=services.clock() - before))

    def test_old_rows_go_and_the_rest_is_whole(self, trail: Services) -> None:
        outside = trail.trail.head()

        assert self.purged(trail, before=timedelta(minutes=6)) == 4

        assert [row.id for row in rows(trail, AuditEvent)] == list(range(5, 11))
        assert findings(trail, outside) == []
        assert trail.trail.size() == 6

    def test_the_chain_goes_on_after_everything_was_purged(self, trail: Services, clock: Clock) -> None:
        outside = trail.trail.head()
        assert self.purged(trail, before=timedelta(0)) == ROWS

        write(trail, clock, 2)

        assert [row.id for row in rows(trail, AuditEvent)] == [11, 12]
        assert findings(trail, outside) == []

    def test_many_rows_go_in_batches(self, services: Services, clock: Clock) -> None:
        with db.session.begin():
            for _ in range(BATCH + 5):
                services.audit.within(db.session(), Event.STAFF_REFUSED, at=services.clock(), actor="x")
        clock.forward(minutes=1)

        assert list(services.trail.purge(before=services.clock())) == [BATCH, 5]
        assert findings(services) == []

    def test_a_young_row_keeps_what_was_written_after_it(self, trail: Services) -> None:
        trail.audit.record(Event.SITE_CHANGED, at=trail.clock() - DAY, actor="studykey")

        assert self.purged(trail, before=timedelta(minutes=1)) == ROWS - 1 + 0
        assert findings(trail) == []

    @pytest.mark.parametrize(
        "lie",
        [
            "UPDATE audit_chain SET purged_id = 4, purged_mac = (SELECT mac FROM audit_event WHERE id = 4)",
            "UPDATE audit_chain SET purged_id = 4",
        ],
    )
    def test_rows_taken_off_the_front_by_somebody_else_are_caught(self, trail: Services, lie: str) -> None:
        tamper(lie, "DELETE FROM audit_event WHERE id <= 4")

        assert any("ends were changed" in why for _, why in findings(trail))

    def test_a_row_put_back_before_the_beginning_is_caught(self, trail: Services) -> None:
        self.purged(trail, before=timedelta(minutes=6))
        copied = "event, at, actor, address, grant_id, study_id, details, mac, kid"
        tamper(f"INSERT INTO audit_event (id, {copied}) SELECT 2, {copied} FROM audit_event WHERE id = 10")

        assert findings(trail) == [(2, "it stands before the beginning of the chain")]

    def test_a_trail_that_was_tampered_with_is_kept_as_evidence(self, trail: Services) -> None:
        tamper(*CUT)

        with pytest.raises(ChainBroken):
            self.purged(trail, before=timedelta(0))

        assert len(rows(trail, AuditEvent)) == 7

    def test_a_purge_while_the_trail_is_verified_is_no_finding(
        self, services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.audit_verification.PAGE", 3)
        write(services, clock)
        told: list[int] = []

        def purge_once(count: int) -> None:
            if not told:
                self.purged(services, before=timedelta(minutes=2))
            told.append(count)

        assert services.trail.verify(progress=purge_once).findings == []

    def test_rows_of_before_the_chain_are_counted_and_purged_by_age(
        self, services: Services, clock: Clock
    ) -> None:
        tamper(
            "UPDATE audit_chain SET last_id = 2, purged_id = 2",
            *(
                "INSERT INTO audit_event (id, at, event, actor, details, mac, kid) "
                f"VALUES ({number}, '2026-01-01 00:00:00+00', 'site:changed', 'studykey', '{{}}', {mac}, '')"
                for number in (1, 2)
                for mac in ("x''" if db.engine.dialect.name == "sqlite" else "''",)
            ),
        )
        write(services, clock, 3)
        result = services.trail.verify()
        assert (result.checked, result.unchained, result.findings) == (3, 2, [])

        assert self.purged(services, before=DAY) == 2
        assert services.trail.verify().unchained == 0


class TestTheHeadOutside:
    def test_it_follows_the_trail(self, trail: Services, clock: Clock, settings: Settings) -> None:
        assert trail.trail.kept_head() is None
        trail.trail.keep_head()
        write(trail, clock, 1)
        trail.trail.keep_head()

        assert trail.trail.kept_head() == trail.trail.head() == Head.parse(str(trail.trail.head()))
        assert (settings.instance / "audit-head").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("damage", ["", "x", "12", "12:zz"])
    def test_a_file_that_holds_no_head_is_left_alone(
        self, trail: Services, settings: Settings, damage: str
    ) -> None:
        (settings.instance / "audit-head").write_text(damage)

        trail.trail.keep_head()

        assert (settings.instance / "audit-head").read_text() == damage
