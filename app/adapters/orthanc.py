"""An archive's REST API: the dozen calls that Studykey makes. Orthanc's JSON stops here.

Owns the studies: which there are, what changed, whose each is, and whether the gate stands before them. Their images
are read in ``adapters.orthanc_images``, the reports among them in ``adapters.orthanc_documents``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import requests

from app.adapters.orthanc_documents import OrthancDocuments
from app.adapters.orthanc_http import ArchiveUnreachable
from app.adapters.orthanc_images import Media, OrthancImages
from app.domain import dicom, other_tags
from app.domain.study import Change, ChangePage, GateState, ListedStudy, StudyRecord

__all__ = ["ArchiveUnreachable", "Media", "Orthanc"]

PROBE_TIMEOUT_SECONDS = (1.0, 3.0)  # to connect, between bytes
# What leaks if the gate didn't load. Guarded means that each is refused; anything else is no gate of ours.
PROBES = ("studies?since=0&limit=1", "dicom-web/studies?limit=1", "changes?limit=1")
REFUSALS = (401, 403)


class Orthanc(OrthancImages, OrthancDocuments):
    """One archive, as Studykey's own Basic user. Safe to share between threads."""

    def gate_state(self) -> GateState:
        """Ask for studies without a token: OPEN when one probe is answered, GUARDED when all are refused."""
        state = GateState.GUARDED
        try:
            for probe in PROBES:
                answer = requests.get(
                    self._settings.url + probe,
                    timeout=PROBE_TIMEOUT_SECONDS,
                    allow_redirects=False,
                    auth=lambda request: request,  # nobody: not even what .netrc would add
                    proxies={"http": "", "https": ""},
                )
                if answer.ok and not answer.is_redirect:
                    return GateState.OPEN
                if answer.status_code not in REFUSALS:
                    state = GateState.UNREACHABLE  # but go on: another probe may find it open
        except requests.RequestException:
            return GateState.UNREACHABLE
        return state

    def now(self) -> datetime:
        """The archive's own clock (UTC, whole seconds). Raises ArchiveUnreachable.

        Never a guess: with too early a moment, a whole backlog would get grants.
        """
        answer = self._get("tools/now")
        try:
            return _moment(answer.text if answer is not None else "")
        except ValueError:
            raise ArchiveUnreachable(self.name, "no clock") from None

    def changes(self, *, since: int, limit: int = 100) -> ChangePage:
        """What happened after sequence number ``since``. Raises ArchiveUnreachable."""
        page = self._found(self._object("changes", since=since, limit=limit))
        rows = self._checked(page.get("Changes", []), "Seq", "ChangeType", "ResourceType", "ID")
        return ChangePage(
            tuple(Change(row["Seq"], row["ChangeType"], row["ResourceType"], row["ID"]) for row in rows),
            last=page.get("Last", 0),
            is_done=page.get("Done", True),
        )

    def studies(self, *, page_size: int = 200) -> Iterator[ListedStudy]:
        """All studies. Deletions during the walk can hide some: walk again. Raises ArchiveUnreachable."""
        since = 0
        while rows := self._found(self._rows("studies", since=since, limit=page_size, expand="")):
            for row in rows:
                yield ListedStudy(row["ID"], bool(row.get("IsStable")), _fingerprint(row))
            since += len(rows)

    def exists(self, orthanc_id: str) -> bool:
        """Raises ArchiveUnreachable."""
        return self._get(f"studies/{orthanc_id}") is not None

    def study(self, orthanc_id: str) -> StudyRecord | None:
        """Read a study, or None when it isn't (or no longer) there. Raises ArchiveUnreachable."""
        study = self._object(f"studies/{orthanc_id}")
        series = self._rows(f"studies/{orthanc_id}/series") if study else None
        metadata = self._object(f"studies/{orthanc_id}/metadata", expand="") if study else None
        if not study or not series or metadata is None:
            return None
        # Three of the five physician and institution tags are no main tags: one instance is read for them.
        instance = next((entry["Instances"][0] for entry in series if entry.get("Instances")), None)
        tags = (self._object(f"instances/{instance}/simplified-tags") if instance else None) or {}
        return _record(study, series, metadata, tags)

    def main_tags(self, orthanc_id: str) -> dict[str, str] | None:
        """Patient and study tags as they came, by keyword, not cleaned; None when the study isn't there.

        Raises ArchiveUnreachable.
        """
        study = self._object(f"studies/{orthanc_id}")
        if study is None:
            return None
        told = {**study.get("PatientMainDicomTags", {}), **study.get("MainDicomTags", {})}
        return {keyword: value for keyword, value in told.items() if isinstance(value, str)}

    def studies_with_uid(self, study_instance_uid: str) -> tuple[str, ...]:
        """Orthanc ids of all studies with this UID; two are a mix-up. Raises ArchiveUnreachable."""
        query = {"Level": "Study", "Query": {"StudyInstanceUID": study_instance_uid}}
        answer = self._ask("POST", "tools/find", json=query)
        if answer.status_code != 200:
            raise ArchiveUnreachable(self.name, f"status {answer.status_code}")
        found = self._parsed(answer)
        if not isinstance(found, list):
            raise ArchiveUnreachable(self.name, "an answer that is not Orthanc's")
        return tuple(str(orthanc_id) for orthanc_id in found)


def _fingerprint(study: dict[str, Any]) -> str:
    told = {
        "study": study.get("MainDicomTags"),
        "patient": study.get("PatientMainDicomTags"),
        "series": sorted(study.get("Series", [])),
        "updated": study.get("LastUpdate"),
    }
    if labels := other_tags.label_names(study.get("Labels")):  # a label leaves LastUpdate as it is
        told["labels"] = labels
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _moment(text: str) -> datetime:
    """Raises ValueError."""
    return datetime.strptime(text.strip(), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def _updated_at(text: object) -> datetime:
    """Orthanc's LastUpdate (``20261121T093000``, UTC); the epoch when it is absent."""
    try:
        return _moment(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _record(
    study: dict[str, Any], series: list[dict[str, Any]], metadata: dict[str, Any], tags: dict[str, Any]
) -> StudyRecord:
    main = {**tags, **study.get("PatientMainDicomTags", {}), **study.get("MainDicomTags", {})}
    in_series = [entry.get("MainDicomTags", {}) for entry in series]

    def text(keyword: str) -> str:
        return dicom.clean_text(main.get(keyword))

    def of_series(keyword: str) -> tuple[str, ...]:
        values = {dicom.clean_text(entry.get(keyword)) for entry in in_series}
        return tuple(sorted(filter(None, values)))

    return StudyRecord(
        orthanc_id=study["ID"],
        study_instance_uid=text("StudyInstanceUID"),
        patient_id=text("PatientID"),
        patient_name=text("PatientName"),
        birth_date_text=text("PatientBirthDate"),
        patient_sex=text("PatientSex"),
        study_date=dicom.parse_date(text("StudyDate")),
        description=text("StudyDescription"),
        accession_number=text("AccessionNumber"),
        modalities=of_series("Modality"),
        body_part=next(iter(of_series("BodyPartExamined")), ""),
        institution_name=text("InstitutionName"),
        referring_physician=text("ReferringPhysicianName"),
        performing_physician=text("PerformingPhysicianName"),
        reading_physicians=text("NameOfPhysiciansReadingStudy"),
        responsible_organization=text("ResponsibleOrganization"),
        series_count=len(series),
        instance_count=sum(len(entry.get("Instances", [])) for entry in series),
        is_stable=bool(study.get("IsStable")),
        is_derived=bool({"AnonymizedFrom", "ModifiedFrom"} & set(metadata)),
        updated_at=_updated_at(study.get("LastUpdate")),
        fingerprint=_fingerprint(study),
        other_tags=other_tags.others(study.get("MainDicomTags", {}), study.get("Labels")),
    )
