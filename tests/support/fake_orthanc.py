"""An archive that lives in a dict: what ``app.adapters.orthanc.Orthanc`` says, without a network.

Behaves as Orthanc 1.10.1 was seen to: deleting a study removes its rows from the log of changes; ``Last`` is
the last row of the page, and of an empty page the newest there is, which can go down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from app.adapters.orthanc import ArchiveUnreachable, Orthanc
from app.config import ArchiveSettings
from app.domain.study import Change, ChangePage, GateState, ListedStudy, Picture, Series, StudyRecord

JPEG = b"\xff\xd8\xff\xe0 not really \xff\xd9"


class FakeOrthanc(Orthanc):
    """``is_open``: the gate didn't load. ``is_unreachable``: nothing answers. ``poison``: ids of studies at
    which reading fails in a way nobody foresaw. ``unrenderable``: ids of
    instances of which Orthanc makes no JPEG. ``before_study`` runs inside each read, for races."""

    def __init__(self, settings: ArchiveSettings, clock: Callable[[], datetime]) -> None:
        super().__init__(settings)
        self._clock = clock
        self._sequence = 0
        self.records: dict[str, StudyRecord] = {}
        self.log: list[Change] = []
        self.pictures: dict[str, tuple[Series, ...]] = {}
        self.is_open = self.is_unreachable = False
        self.poison: set[str] = set()
        self.unrenderable: set[str] = set()
        self.before_study: Callable[[], None] = lambda: None
        self.probes = self.reads = 0

    # What a test does to it.

    def put(self, record: StudyRecord, *, is_signalled: bool = True) -> StudyRecord:
        """The archive has this now. ``is_signalled=False``: the log of changes doesn't tell."""
        self.records[record.orthanc_id] = record
        self._sequence += 1
        if is_signalled and record.is_stable:
            self.log.append(Change(self._sequence, "StableStudy", "Study", record.orthanc_id))
        return record

    def change(self, orthanc_id: str, **changes: object) -> StudyRecord:
        """Same study, other tags or more instances: another fingerprint, another signal."""
        told = {"fingerprint": f"{orthanc_id}-{self._sequence}", "updated_at": self._clock()} | changes
        return self.put(replace(self.records[orthanc_id], **told))  # type: ignore[arg-type]

    def delete(self, orthanc_id: str) -> StudyRecord:
        self.log = [change for change in self.log if change.orthanc_id != orthanc_id]
        return self.records.pop(orthanc_id)

    # What Studykey asks of it.

    def gate_state(self) -> GateState:
        self.probes += 1
        if self.is_unreachable:
            return GateState.UNREACHABLE
        return GateState.OPEN if self.is_open else GateState.GUARDED

    def now(self) -> datetime:
        self._answer()
        return self._clock().replace(microsecond=0)

    def changes(self, *, since: int, limit: int = 100) -> ChangePage:
        self._answer()
        rows = [change for change in self.log if change.sequence > since]
        newest = self.log[-1].sequence if self.log else 0
        page = tuple(rows[:limit])
        return ChangePage(page, page[-1].sequence if page else newest, is_done=len(rows) <= limit)

    def studies(self, *, page_size: int = 200) -> Iterator[ListedStudy]:
        self._answer()
        for record in list(self.records.values()):
            yield ListedStudy(record.orthanc_id, record.is_stable, record.fingerprint)

    def exists(self, orthanc_id: str) -> bool:
        self._answer()
        return orthanc_id in self.records

    def study(self, orthanc_id: str) -> StudyRecord | None:
        self._answer()
        self.reads += 1
        self.before_study()
        if orthanc_id in self.poison:
            raise KeyError("MainDicomTags")
        return self.records.get(orthanc_id)

    def series(self, orthanc_id: str) -> tuple[Series, ...]:
        self._answer()
        three = tuple(Picture(f"{orthanc_id}-{number}", 0) for number in range(3))
        return self.pictures.get(orthanc_id, (Series(1, "Lungs", "CT", three), Series(2, "Dose", "SR", ())))

    def rendered(self, picture: Picture, *, size: int, quality: int) -> tuple[str, bytes] | None:
        self._answer()
        if picture.instance_id in self.unrenderable:
            return None
        return "image/jpeg", JPEG + picture.instance_id.encode()

    def studies_with_uid(self, study_instance_uid: str) -> tuple[str, ...]:
        self._answer()
        return tuple(
            record.orthanc_id
            for record in self.records.values()
            if record.study_instance_uid == study_instance_uid
        )

    def _answer(self) -> None:
        if self.is_unreachable:
            raise ArchiveUnreachable(self.name, "ConnectTimeout")
