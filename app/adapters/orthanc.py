"""An archive's REST API: the dozen calls that Studykey makes. Orthanc's JSON stops here."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
from requests.auth import HTTPBasicAuth

from app.config import ArchiveSettings
from app.domain import dicom
from app.domain.study import Change, ChangePage, GateState, ListedStudy, Picture, Series, StudyRecord

TIMEOUT_SECONDS = (2.0, 20.0)  # to connect, between bytes
PROBE_TIMEOUT_SECONDS = (1.0, 3.0)
# What leaks if the gate didn't load. Guarded means that each is refused; anything else is no gate of ours.
PROBES = ("studies?since=0&limit=1", "dicom-web/studies?limit=1", "changes?limit=1")
REFUSALS = (401, 403)
Answer = TypeVar("Answer")


class ArchiveUnreachable(Exception):
    """The archive doesn't answer, or not as an Orthanc that knows us. Carries its name, no address."""

    def __init__(self, archive: str, why: str) -> None:
        super().__init__(f"archive {archive}: {why}")
        self.archive = archive
        self.why = why


class Orthanc:
    """One archive, as Studykey's own Basic user. Safe to share between threads."""

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        self._local = threading.local()

    @property
    def name(self) -> str:
        return self._settings.name

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.trust_env = False  # no proxy and no .netrc stands between us and the archive
            # As UTF-8 (RFC 7617): requests would fail on what Latin-1 doesn't have.
            session.auth = HTTPBasicAuth(self._settings.username.encode(), self._settings.password.encode())
            self._local.session = session
        session_: requests.Session = self._local.session
        return session_

    def _get(self, path: str, **params: str | int) -> requests.Response | None:
        """None for 404. Raises ArchiveUnreachable."""
        try:
            answer = self._session().get(
                self._settings.url + path,
                params=params,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ArchiveUnreachable(self.name, type(error).__name__) from None
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise ArchiveUnreachable(self.name, f"status {answer.status_code}")
        return answer

    def _json(self, path: str, **params: str | int) -> Any:
        answer = self._get(path, **params)
        if answer is None:
            return None
        try:
            return answer.json()
        except ValueError:
            raise ArchiveUnreachable(self.name, "an answer that is no JSON") from None

    def _object(self, path: str, **params: str | int) -> dict[str, Any] | None:
        """A JSON object, None for 404. Raises ArchiveUnreachable."""
        answer = self._json(path, **params)
        if answer is not None and not isinstance(answer, dict):
            raise ArchiveUnreachable(self.name, "an answer that is not Orthanc's")
        return answer

    def _rows(self, path: str, **params: str | int) -> list[dict[str, Any]] | None:
        """Objects with an ID, None for 404. Raises ArchiveUnreachable."""
        answer = self._json(path, **params)
        return None if answer is None else self._checked(answer, "ID")

    def _found(self, answer: Answer | None) -> Answer:
        """For what every Orthanc has: its absence must not be taken for an archive without studies."""
        if answer is None:
            raise ArchiveUnreachable(self.name, "status 404")
        return answer

    def _checked(self, rows: Any, *keys: str) -> list[dict[str, Any]]:
        """``rows`` if they are objects with these keys: what answers may be no Orthanc at all."""
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and row.keys() >= set(keys) for row in rows
        ):
            raise ArchiveUnreachable(self.name, "an answer that is not Orthanc's")
        return rows

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

    def series(self, orthanc_id: str) -> tuple[Series, ...]:
        """The series of a study in reading order, with their pictures. Raises ArchiveUnreachable."""
        rows = self._rows(f"studies/{orthanc_id}/series") or []
        rows.sort(key=lambda row: _number(row, "SeriesNumber"))
        return tuple(self._one_series(number, row) for number, row in enumerate(rows, start=1))

    def _one_series(self, number: int, row: dict[str, Any]) -> Series:
        tags = row.get("MainDicomTags", {})
        title = dicom.clean_text(tags.get("SeriesDescription") or tags.get("ProtocolName"))
        modality = dicom.clean_text(tags.get("Modality"))
        instances = self._rows(f"series/{row['ID']}/instances") or []
        # Rows (0028,0010) is there when, and only when, there are pixels (PS3.3 section C.7.6.3).
        has_pixels = bool(instances) and self._get(f"instances/{instances[0]['ID']}/content/0028-0010")
        if not has_pixels:
            return Series(number, title, modality, ())
        pictures = [
            Picture(instance["ID"], frame)
            for instance in sorted(instances, key=_reading_order)
            for frame in range(min(max(_number(instance, "NumberOfFrames"), 1), 10_000))
        ]
        return Series(number, title, modality, tuple(pictures))

    def rendered(self, picture: Picture, *, size: int, quality: int) -> tuple[str, bytes] | None:
        """A picture as (media type, JPEG), at most ``size`` pixels wide and high; None when it has none.

        Raises ArchiveUnreachable.
        """
        try:
            answer = self._session().get(
                f"{self._settings.url}instances/{picture.instance_id}/frames/{picture.frame}/rendered",
                params={"width": size, "height": size, "quality": quality},
                headers={"Accept": "image/jpeg"},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ArchiveUnreachable(self.name, type(error).__name__) from None
        media_type = answer.headers.get("Content-Type", "")
        if answer.status_code != 200 or media_type not in ("image/jpeg", "image/png"):
            return None
        return media_type, answer.content

    def studies_with_uid(self, study_instance_uid: str) -> tuple[str, ...]:
        """Orthanc ids of all studies with this UID; two are a mix-up. Raises ArchiveUnreachable."""
        query = {"Level": "Study", "Query": {"StudyInstanceUID": study_instance_uid}}
        try:
            answer = self._session().post(
                self._settings.url + "tools/find", json=query, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise ArchiveUnreachable(self.name, type(error).__name__) from None
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
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _number(row: dict[str, Any], tag: str) -> int:
    try:
        return int(row.get("MainDicomTags", {}).get(tag, 0))
    except (TypeError, ValueError):
        return 0


def _reading_order(instance: dict[str, Any]) -> tuple[int, int]:
    return _number(instance, "InstanceNumber"), int(instance.get("IndexInSeries") or 0)


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
    )
