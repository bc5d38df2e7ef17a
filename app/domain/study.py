"""What an archive tells of a study, in the words of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from app.domain.looks import Pixels


class GateState(StrEnum):
    """What an archive answers to somebody who brings no token."""

    UNKNOWN = "unknown"
    GUARDED = "guarded"
    OPEN = "open"  # it gives studies to everybody: no token is issued, the alarm is raised
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class StudyRecord:
    """A study as its archive describes it now. Texts are cleaned (``domain.dicom.clean_text``)."""

    orthanc_id: str
    study_instance_uid: str
    patient_id: str
    patient_name: str
    birth_date_text: str
    patient_sex: str
    study_date: date | None
    description: str
    accession_number: str
    modalities: tuple[str, ...]
    body_part: str
    institution_name: str
    referring_physician: str
    performing_physician: str
    reading_physicians: str
    responsible_organization: str
    series_count: int
    instance_count: int
    is_stable: bool
    is_derived: bool  # anonymised from or modified from another study
    updated_at: datetime  # of the archive's clock
    fingerprint: str
    # Further main tags by keyword, and its labels under "Labels", for rules that name one (domain.other_tags).
    other_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ListedStudy:
    """A line of the archive's list of studies."""

    orthanc_id: str
    is_stable: bool
    fingerprint: str


@dataclass(frozen=True)
class Change:
    """A line of the archive's log of changes."""

    sequence: int
    type: str
    level: str
    orthanc_id: str


@dataclass(frozen=True)
class ChangePage:
    """A page of changes; ``last`` is its last row's sequence number, of an empty page the archive's newest,
    which can go down."""

    changes: tuple[Change, ...]
    last: int
    is_done: bool


@dataclass(frozen=True)
class Picture:
    """One frame of one instance, in the order in which a reader scrolls."""

    instance_id: str
    frame: int


@dataclass(frozen=True)
class Series:
    """A series for the light look. No pictures: the object is named instead (a report, say)."""

    number: int  # 1.. within the study
    title: str
    modality: str
    pictures: tuple[Picture, ...]
    pixels: Pixels = Pixels()


class DocumentKind(StrEnum):
    PDF = "pdf"  # Encapsulated PDF (PS3.3 section A.45.1)
    STRUCTURED = "structured"  # a report as text in parts (PS3.3 section A.35)


@dataclass(frozen=True)
class ListedDocument:
    """A report that stands among a study's images."""

    instance_id: str  # Orthanc's
    sop_instance_uid: str
    kind: DocumentKind
    title: str
    made_on: date | None


@dataclass(frozen=True)
class StoredInstance:
    """Where an instance that was stored ended up; the archive decides by its tags."""

    instance_id: str
    study_id: str
