"""Taking images away: on record before the first byte, few at once, and over when the access is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from app.adapters.orthanc import ArchiveUnreachable
from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.models import Grant, Study
from app.services.audit import Audit
from app.services.downloads import AT_ONCE, Download, DownloadEnded, Downloads, Places, TooManyDownloads
from app.services.visits import LiveVisit, NotReleased
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, change_grant, events, fresh_clinic, own_session, visit
from tests.support.fake_orthanc import ZIP, FakeOrthanc


@dataclass(frozen=True)
class Desk:
    """A visit, and downloads that look after each piece whether they may go on."""

    services: Services
    downloads: Downloads
    live: LiveVisit
    study: Study
    grant: Grant

    def begin(self, live: LiveVisit | None = None) -> Download:
        found = self.downloads.begin(
            live or self.live, self.study, "main", address=ADDRESS, at=self.services.clock()
        )
        assert found is not None
        return found

    @property
    def archive(self) -> FakeOrthanc:
        fake = self.services.orthancs["main"]
        assert isinstance(fake, FakeOrthanc)
        return fake


@pytest.fixture
def desk(services: Services) -> Desk:
    study, paper = fresh_clinic(services)
    live, _key = visit(services, paper)
    session = own_session(services)
    downloads = Downloads(
        session, services.orthancs, Audit(session, services.crypto), services.clock, check_seconds=0
    )
    return Desk(services, downloads, live, study, paper.grant)


def test_a_download_is_on_record_before_its_first_byte(desk: Desk) -> None:
    going_on = desk.begin()

    assert events(desk.services)[-1] == "study:downloaded"
    assert b"".join(going_on) == ZIP
    going_on.close()
    assert desk.archive.media_given[0].is_closed


def test_without_the_right_to_download_there_is_none(desk: Desk) -> None:
    change_grant(desk.services, desk.grant, permissions=(Permission.VIEW | Permission.REPORT).names)
    live, _key = desk.services.visits.begin(desk.grant.id, address=ADDRESS, at=desk.services.clock())

    with pytest.raises(LookupError):
        desk.begin(live)
    assert desk.archive.media_given == []


def test_what_is_held_back_is_neither_sent_nor_on_record(desk: Desk) -> None:
    desk.services.releases.hold(desk.study, at=desk.services.clock(), actor="staff:anna")
    desk.services.session.commit()

    with pytest.raises(NotReleased):
        desk.begin()
    assert desk.archive.media_given[0].is_closed
    assert "study:downloaded" not in events(desk.services)


def test_an_archive_that_is_away_leaves_no_trace_and_takes_no_place(desk: Desk) -> None:
    desk.archive.is_unreachable = True
    with pytest.raises(ArchiveUnreachable):
        desk.begin()
    desk.archive.is_unreachable = False

    assert "study:downloaded" not in events(desk.services)
    desk.begin().close()


def test_a_study_that_left_the_archive_is_no_download(desk: Desk) -> None:
    desk.archive.delete(desk.study.orthanc_id)

    assert (
        desk.downloads.begin(desk.live, desk.study, "main", address=ADDRESS, at=desk.services.clock()) is None
    )
    assert desk.downloads.most_bytes("main", desk.study) is None


def test_an_archive_that_breaks_off_is_no_end_of_the_file(desk: Desk) -> None:
    desk.archive.breaks = True
    going_on = desk.begin()

    assert next(going_on) == ZIP[:7]
    with pytest.raises(ArchiveUnreachable):
        next(going_on)


@pytest.mark.parametrize("how", ["done", "revoked", "held"])
def test_a_download_stops_when_its_visit_or_grant_is_ended_or_the_release_taken_back(
    desk: Desk, how: str
) -> None:
    going_on, services, now = desk.begin(), desk.services, desk.services.clock()
    next(going_on)
    if how == "done":
        services.visits.end(desk.live, address=ADDRESS, at=now)
    elif how == "revoked":
        change_grant(services, desk.grant, revoked_at=now)
    else:
        services.releases.hold(desk.study, at=now, actor="staff:anna")
        services.session.commit()

    with pytest.raises(DownloadEnded):
        next(going_on)


def test_a_slow_line_outlasts_the_visits_own_limits(desk: Desk, clock: Clock) -> None:
    going_on = desk.begin()
    next(going_on)
    clock.now += timedelta(hours=2)

    assert next(going_on) == ZIP[7:]


def test_whoever_does_not_wait_for_the_release_may_download_before_it(desk: Desk) -> None:
    desk.services.releases.hold(desk.study, at=desk.services.clock(), actor="staff:anna")
    desk.services.session.commit()
    change_grant(desk.services, desk.grant, kind=Kind.PHYSICIAN)
    live, _key = desk.services.visits.begin(desk.grant.id, address=ADDRESS, at=desk.services.clock())

    assert b"".join(desk.begin(live)) == ZIP


def test_one_visit_has_one_download_at_a_time(desk: Desk) -> None:
    first = desk.begin()
    with pytest.raises(TooManyDownloads) as refused:
        desk.begin()
    assert refused.value.is_own

    first.close()
    desk.begin().close()


def test_a_process_lets_few_go_on_at_once_and_a_place_is_given_back_once() -> None:
    places = Places()
    leave = [places.take(number) for number in range(AT_ONCE)]
    with pytest.raises(TooManyDownloads) as refused:
        places.take(99)
    assert not refused.value.is_own

    leave[0]()
    places.take(99)
    leave[0]()  # again: that place is somebody else's now
    with pytest.raises(TooManyDownloads):
        places.take(100)
