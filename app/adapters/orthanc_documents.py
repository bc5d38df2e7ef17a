"""Reports as DICOM instances of an archive: which stand among the images, to read one, to add one, to take it back."""

from __future__ import annotations

from typing import Any

from app.adapters.orthanc_http import ArchiveUnreachable, OrthancHttp
from app.domain import dicom
from app.domain.study import DocumentKind, ListedDocument, StoredInstance

# Encapsulated PDF; Basic Text, Enhanced, Comprehensive, Comprehensive 3D and Extensible SR (PS3.4 annex B.5). Dose
# reports and measurements of devices are structured too, but no radiologist's report.
_DOCUMENTS = {"1.2.840.10008.5.1.4.1.1.104.1": DocumentKind.PDF} | {
    f"1.2.840.10008.5.1.4.1.1.88.{number}": DocumentKind.STRUCTURED for number in (11, 22, 33, 34, 35)
}
_DOCUMENT_MODALITIES = ("DOC", "SR", "OT")


class OrthancDocuments(OrthancHttp):
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

    def store(self, dicom_file: bytes) -> StoredInstance:
        """Add an instance; one that is there already stays as it is. Raises ArchiveUnreachable, also when it isn't
        taken."""
        answer = self._ask(
            "POST", "instances", data=dicom_file, headers={"Content-Type": "application/dicom"}
        )
        told = self._parsed(answer) if answer.status_code == 200 else None
        if not isinstance(told, dict) or told.get("Status") not in ("Success", "AlreadyStored"):
            raise ArchiveUnreachable(self.name, f"an instance not taken (status {answer.status_code})")
        return StoredInstance(str(told.get("ID")), str(told.get("ParentStudy")))

    def delete_instance(self, instance_id: str) -> None:
        """For what Studykey itself stored, and nothing else; gone already is fine. Raises ArchiveUnreachable."""
        answer = self._ask("DELETE", f"instances/{instance_id}")
        if answer.status_code not in (200, 404):
            raise ArchiveUnreachable(self.name, f"status {answer.status_code}")
