"""An archive that lives in a dict: what ``app.adapters.orthanc.Orthanc`` says, without a network.

Behaves as Orthanc 1.10.1 was seen to: deleting a study removes its rows from the log of changes; ``Last`` is
the last row of the page, and of an empty page the newest there is, which can go down.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from pydicom import dcmread

from app.adapters.encapsulated_pdf import study_of
from app.adapters.orthanc import ArchiveUnreachable, Media, Orthanc
from app.config import ArchiveSettings
from app.domain import looks
from app.domain.looks import Window
from app.domain.study import (
    Change,
    ChangePage,
    GateState,
    ListedDocument,
    ListedStudy,
    Picture,
    Series,
    StoredInstance,
    StudyRecord,
)

IDS = ("PatientID", "StudyInstanceUID")
JPEG = b"\xff\xd8\xff\xe0 not really \xff\xd9"
ZIP = b"PK\x03\x04 not really PK\x05\x06"


class FakeMedia(Media):
    """``breaks``: it comes in part, and then the archive is gone."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.is_closed = False
        self._breaks = breaks

    def __iter__(self) -> Iterator[bytes]:
        yield ZIP[:7]
        if self._breaks:
            raise ArchiveUnreachable("main", "ChunkedEncodingError")
        yield ZIP[7:]

    def close(self) -> None:
        self.is_closed = True


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
        self.instances: dict[str, bytes] = {}  # DICOM files that were stored, by SOP Instance UID
        self.bytes = 60_000_000  # of a study's files
        self.breaks = False
        self.media_given: list[FakeMedia] = []
        self.listed: tuple[ListedDocument, ...] = ()  # reports among the images
        self.before_study: Callable[[], None] = lambda: None
        # Size, quality and window of each picture that was made.
        self.asked: list[tuple[int, int, tuple[float, float] | None]] = []
        self.weight: Callable[[int, int], int] = lambda size, quality: 0  # bytes that a picture has at least
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

    def shifted(self, picture: Picture, window: Window) -> tuple[float, float] | None:
        self._answer()
        return looks.shifted(window, (500.0, 1000.0), is_light_low=False)

    def rendered(
        self, picture: Picture, *, size: int, quality: int, window: tuple[float, float] | None = None
    ) -> tuple[str, bytes] | None:
        self._answer()
        self.asked.append((size, quality, window))
        if picture.instance_id in self.unrenderable:
            return None
        return "image/jpeg", (JPEG + picture.instance_id.encode()).ljust(self.weight(size, quality))

    def size(self, orthanc_id: str) -> int | None:
        self._answer()
        return self.bytes if orthanc_id in self.records else None

    def media(self, orthanc_id: str) -> Media | None:
        self._answer()
        if orthanc_id not in self.records:
            return None
        self.media_given.append(FakeMedia(breaks=self.breaks))
        return self.media_given[-1]

    def main_tags(self, orthanc_id: str) -> dict[str, str] | None:
        self._answer()
        if (told := self.records.get(orthanc_id)) is None:
            return None
        return {
            "PatientID": told.patient_id,
            "PatientName": told.patient_name,
            "PatientBirthDate": told.birth_date_text,
            "PatientSex": told.patient_sex,
            "StudyInstanceUID": told.study_instance_uid,
            "StudyDate": told.study_date.strftime("%Y%m%d") if told.study_date else "",
            "StudyDescription": told.description,
            "AccessionNumber": told.accession_number,
        }

    def store(self, dicom_file: bytes) -> StoredInstance:
        self._answer()
        made = dcmread(io.BytesIO(dicom_file))
        uid, study_id = str(made.SOPInstanceUID), study_of({k: str(made[k].value) for k in IDS})
        self.instances.setdefault(uid, dicom_file)
        if study_id in self.records:
            self.change(study_id)
        return StoredInstance(uid, study_id)

    def documents(self, orthanc_id: str) -> tuple[ListedDocument, ...]:
        self._answer()
        return self.listed

    def instance_file(self, instance_id: str) -> bytes | None:
        self._answer()
        return self.instances.get(instance_id)

    def instance_pdf(self, instance_id: str) -> tuple[str, bytes] | None:
        self._answer()
        if (dicom_file := self.instances.get(instance_id)) is None:
            return None
        return instance_id, dcmread(io.BytesIO(dicom_file)).EncapsulatedDocument

    def delete_instance(self, instance_id: str) -> None:
        self._answer()
        self.instances.pop(instance_id, None)

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
