"""Archives: registered once, probed for an open gate, and the alarm that follows."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.adapters.orthanc import ArchiveUnreachable
from app.domain.study import GateState
from app.models import Archive, AuditEvent
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import archive_row, events, fake_archives, record, registered, rows
from tests.support.fake_orthanc import FakeOrthanc


@pytest.fixture
def orthanc(services: Services) -> FakeOrthanc:
    return fake_archives(services)["main"]


def probe(services: Services) -> GateState:
    return services.archives.probe("main", at=services.clock())


def test_an_archive_is_registered_once(services: Services, orthanc: FakeOrthanc, clock: Clock) -> None:
    first = registered(services).registered_at
    clock.forward(days=1)
    services.archives.register("main")

    assert [row.registered_at for row in rows(services, Archive)] == [first]


def test_what_the_archive_held_before_is_not_read_from_its_log(
    services: Services, orthanc: FakeOrthanc
) -> None:
    for _ in range(3):
        orthanc.put(record())

    assert registered(services).change_cursor == orthanc.log[-1].sequence


def test_an_archive_that_does_not_answer_is_not_registered(services: Services, orthanc: FakeOrthanc) -> None:
    orthanc.is_unreachable = True

    with pytest.raises(ArchiveUnreachable):
        services.archives.register("main")

    assert not services.archives.is_registered("main")


def test_an_open_gate_raises_one_alarm_however_often_it_is_seen(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    registered(services)
    orthanc.is_open = True
    for _ in range(3):
        clock.forward(seconds=30)
        assert probe(services) is GateState.OPEN

    assert events(services).count("archive:open") == 1
    assert rows(services, AuditEvent)[-1].details == {"archive": "main"}
    assert archive_row(services).gate_state == GateState.OPEN
    assert services.archives.open_ones() == ["main"]


def test_the_alarm_ends_when_the_gate_is_seen_closed(services: Services, orthanc: FakeOrthanc) -> None:
    registered(services)
    orthanc.is_open = True
    probe(services)
    orthanc.is_open = False
    probe(services)

    assert events(services) == ["archive:open", "archive:guarded"]
    assert services.archives.open_ones() == []


def test_an_open_archive_that_stops_answering_is_not_called_guarded(
    services: Services, orthanc: FakeOrthanc
) -> None:
    registered(services)
    orthanc.is_open = True
    probe(services)
    orthanc.is_unreachable = True

    assert probe(services) is GateState.UNREACHABLE
    assert services.archives.open_ones() == ["main"], "nobody has seen its gate closed"
    assert "archive:guarded" not in events(services)

    orthanc.is_unreachable = False
    probe(services)
    assert events(services).count("archive:open") == 1


def test_a_gate_seen_closed_is_believed_for_twenty_seconds(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    registered(services)
    probes = orthanc.probes
    clock.forward(seconds=20)
    assert services.archives.gate_state("main", at=clock.now) is GateState.GUARDED
    assert orthanc.probes == probes
    clock.forward(seconds=1)
    orthanc.is_open = True
    assert services.archives.gate_state("main", at=clock.now) is GateState.OPEN


def test_a_gate_that_was_not_seen_closed_is_asked_every_time(
    services: Services, orthanc: FakeOrthanc
) -> None:
    registered(services)
    orthanc.is_unreachable = True
    probe(services)
    orthanc.is_unreachable = False

    assert services.archives.gate_state("main", at=services.clock()) is GateState.GUARDED


def test_a_nudge_of_an_archive_that_is_not_registered_is_nothing(
    services: Services, orthanc: FakeOrthanc
) -> None:
    services.archives.nudge("main", at=services.clock())

    assert services.session.scalars(select(Archive)).all() == []
