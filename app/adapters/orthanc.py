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
from app.domain import dicom, looks, other_tags
from app.domain.looks import Window
from app.domain.study import (
    Change,
    ChangePage,
    DocumentKind,
    GateState,
    ListedDocument,
    ListedStudy,
    Picture,
    Series,
    StoredInstance,
    StudyRecord,
)

TIMEOUT_SECONDS = (2.0, 20.0)  # to connect, between bytes
PROBE_TIMEOUT_SECONDS = (1.0, 3.0)
MEDIA_TIMEOUT_SECONDS = (2.0, 60.0)  # packing may take a while between bytes
PIECE_BYTES = 64 * 1024
# What leaks if the gate didn't load. Guarded means that each is refused; anything else is no gate of ours.
PROBES = ("studies?since=0&limit=1", "dicom-web/studies?limit=1", "changes?limit=1")
REFUSALS = (401, 403)
# Encapsulated PDF; Basic Text, Enhanced, Comprehensive, Comprehensive 3D and Extensible SR (PS3.4 annex B.5). Dose
# reports and measurements of devices are structured too, but no radiologist's report.
_DOCUMENTS = {"1.2.840.10008.5.1.4.1.1.104.1": DocumentKind.PDF} | {
    f"1.2.840.10008.5.1.4.1.1.88.{number}": DocumentKind.STRUCTURED for number in (11, 22, 33, 34, 35)
}
_DOCUMENT_MODALITIES = ("DOC", "SR", "OT")
Answer = TypeVar("Answer")


class ArchiveUnreachable(Exception):
    """The archive doesn't answer, or not as an Orthanc that knows us. Carries its name, no address."""

    def __init__(self, archive: str, why: str) -> None:
        super().__init__(f"archive {archive}: {why}")
        self.archive = archive
        self.why = why


class Media:
    """A ZIP on its way from an archive, in pieces of at most PIECE_BYTES. Whoever holds it closes it."""

    def __init__(self, answer: requests.Response, archive: str) -> None:
        self._answer = answer
        self._archive = archive

    def __iter__(self) -> Iterator[bytes]:
        """Raises ArchiveUnreachable when it breaks off."""
        try:
            yield from self._answer.iter_content(PIECE_BYTES)
        except requests.RequestException as error:
            raise ArchiveUnreachable(self._archive, type(error).__name__) from None

    def close(self) -> None:
        """Hang up, whatever has come by then: the archive stops packing."""
        self._answer.close()


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
        pixels = looks.pixels_of(modality, self._texts(instances[0]["ID"])) if instances else None
        if pixels is None:
            return Series(number, title, modality, ())
        pictures = [
            Picture(instance["ID"], frame)
            for instance in sorted(instances, key=_reading_order)
            for frame in range(min(max(_number(instance, "NumberOfFrames"), 1), 10_000))
        ]
        return Series(number, title, modality, tuple(pictures), pixels)

    def _texts(self, instance_id: str) -> dict[str, str]:
        """An instance's tags that are text, by keyword; empty when it is gone. Raises ArchiveUnreachable."""
        told = self._object(f"instances/{instance_id}/simplified-tags") or {}
        return {keyword: value for keyword, value in told.items() if isinstance(value, str)}

    def shifted(self, picture: Picture, window: Window) -> tuple[float, float] | None:
        """Centre and width that show a picture brighter or darker than it was made; None when it doesn't say how
        it was made. Raises ArchiveUnreachable."""
        tags = self._texts(picture.instance_id)
        made = looks.window_of(tags)
        is_light_low = tags.get("PhotometricInterpretation") == "MONOCHROME1"
        return looks.shifted(window, made, is_light_low=is_light_low) if made else None

    def rendered(
        self, picture: Picture, *, size: int, quality: int, window: tuple[float, float] | None = None
    ) -> tuple[str, bytes] | None:
        """A picture as (media type, JPEG), at most ``size`` pixels wide and high; None when it has none.
        ``window``: centre and width, after the picture's own rescaling; without, as it was made.

        Raises ArchiveUnreachable.
        """
        params: dict[str, float] = {"width": size, "height": size, "quality": quality}
        if window:
            params |= {"window-center": window[0], "window-width": window[1]}
        try:
            answer = self._session().get(
                f"{self._settings.url}instances/{picture.instance_id}/frames/{picture.frame}/rendered",
                params=params,
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

    def size(self, orthanc_id: str) -> int | None:
        """Bytes of all DICOM files of a study; None when it isn't there. Raises ArchiveUnreachable."""
        told = self._object(f"studies/{orthanc_id}/statistics")
        if told is None:
            return None
        try:
            return int(told["UncompressedSize"])  # Orthanc writes 64-bit numbers as texts
        except (KeyError, TypeError, ValueError):
            raise ArchiveUnreachable(self.name, "an answer that is not Orthanc's") from None

    def media(self, orthanc_id: str) -> Media | None:
        """A study as a ZIP with DICOMDIR (PS3.10), as Orthanc packs it; None when it isn't there.

        Raises ArchiveUnreachable.
        """
        try:
            answer = self._session().get(
                f"{self._settings.url}studies/{orthanc_id}/media",
                headers={"Accept-Encoding": "identity"},
                timeout=MEDIA_TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            raise ArchiveUnreachable(self.name, type(error).__name__) from None
        if answer.status_code == 200:
            return Media(answer, self.name)
        answer.close()
        if answer.status_code == 404:
            return None
        raise ArchiveUnreachable(self.name, f"status {answer.status_code}")

    def main_tags(self, orthanc_id: str) -> dict[str, str] | None:
        """Patient and study tags as they came, by keyword, not cleaned; None when the study isn't there.

        Raises ArchiveUnreachable.
        """
        study = self._object(f"studies/{orthanc_id}")
        if study is None:
            return None
        told = {**study.get("PatientMainDicomTags", {}), **study.get("MainDicomTags", {})}
        return {keyword: value for keyword, value in told.items() if isinstance(value, str)}

    def store(self, dicom_file: bytes) -> StoredInstance:
        """Add an instance; one that is there already stays as it is. Raises ArchiveUnreachable, also when it isn't
        taken."""
        try:
            answer = self._session().post(
                f"{self._settings.url}instances",
                data=dicom_file,
                headers={"Content-Type": "application/dicom"},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            told = answer.json() if answer.status_code == 200 else None
        except (requests.RequestException, ValueError) as error:
            raise ArchiveUnreachable(self.name, type(error).__name__) from None
        if not isinstance(told, dict) or told.get("Status") not in ("Success", "AlreadyStored"):
            raise ArchiveUnreachable(self.name, f"an instance not taken (status {answer.status_code})")
        return StoredInstance(str(told.get("ID")), str(told.get("ParentStudy")))

    def documents(self, orthanc_id: str) -> tuple[ListedDocument, ...]:
        """Encapsulated PDFs and structured reports of a study, up to 20. Raises ArchiveUnreachable."""
        found: list[ListedDocument] = []
        for series in self._rows(f"studies/{orthanc_id}/series") or []:
            if series.get("MainDicomTags", {}).get("Modality") not in _DOCUMENT_MODALITIES:
                continue
            for instance in (self._rows(f"series/{series['ID']}/instances") or [])[:20]:
                if len(found) < 20 and (one := self._document(instance)) is not None:
                    found.append(one)
        return tuple(found)

    def _document(self, instance: dict[str, Any]) -> ListedDocument | None:
        here = f"instances/{instance['ID']}"
        kind = _DOCUMENTS.get(self._text(f"{here}/metadata/SopClassUid"))
        if kind is None:
            return None
        is_pdf = kind is DocumentKind.PDF
        title = self._text(f"{here}/content/{'0042-0010' if is_pdf else '0040-a043/0/0008-0104'}")
        return ListedDocument(
            instance_id=str(instance["ID"]),
            sop_instance_uid=str(instance.get("MainDicomTags", {}).get("SOPInstanceUID", "")),
            kind=kind,
            title=title[:200],
            made_on=dicom.parse_date(self._text(f"{here}/content/0008-0023")),
        )

    def _text(self, path: str) -> str:
        answer = self._get(path)
        if answer is None:
            return ""
        answer.encoding = "utf-8"
        return dicom.clean_text(answer.text[:1000])

    def instance_file(self, instance_id: str) -> bytes | None:
        """The DICOM file; None when it isn't there. Raises ArchiveUnreachable."""
        answer = self._get(f"instances/{instance_id}/file")
        return answer.content if answer is not None else None

    def instance_pdf(self, instance_id: str) -> tuple[str, bytes] | None:
        """SOP Instance UID and PDF of an Encapsulated PDF; None when it isn't there. Raises ArchiveUnreachable."""
        instance = self._object(f"instances/{instance_id}")
        pdf = self._get(f"instances/{instance_id}/pdf") if instance else None
        if instance is None or pdf is None:
            return None
        return str(instance.get("MainDicomTags", {}).get("SOPInstanceUID", "")), pdf.content

    def delete_instance(self, instance_id: str) -> None:
        """For what Studykey itself stored, and nothing else; gone already is fine. Raises ArchiveUnreachable."""
        try:
            answer = self._session().delete(
                f"{self._settings.url}instances/{instance_id}",
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ArchiveUnreachable(self.name, type(error).__name__) from None
        if answer.status_code not in (200, 404):
            raise ArchiveUnreachable(self.name, f"status {answer.status_code}")

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
    if labels := other_tags.label_names(study.get("Labels")):  # a label leaves LastUpdate as it is
        told["labels"] = labels
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
        other_tags=other_tags.others(study.get("MainDicomTags", {}), study.get("Labels")),
    )
