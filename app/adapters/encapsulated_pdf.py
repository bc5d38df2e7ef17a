"""A signed report as a DICOM object: Encapsulated PDF (PS3.3 section A.45.1), for the archive beside its study.

Owns the tags of the document's own; those of patient and study are copied from the archive, cleaned, so that it files
the object where the images are. The same report makes the same instance, whenever it is made. Refuses to guess whose it
is: ``study_of`` tells which study of an archive an object with these tags becomes part of.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain import dicom

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"  # Encapsulated PDF Storage (PS3.4 section B.5)
# What our UIDs are made in. Never changes: a second try has to store the same instance.
_NAMESPACE = uuid.UUID("6a1f2f0e-5f4e-5d0c-9d0e-3f7b8c2a9e41")
# Characters that a value may have (PS3.5 table 6.2-1; of a person's name, each component group).
_LONGEST = {"LO": 64, "SH": 16, "PN": 64}
# Modules Patient, General Study and Patient Study, as far as archives keep them as main tags (PS3.3 table A.45.1-1).
_COPIED = {
    "PatientName": "PN",
    "PatientBirthDate": "DA",
    "PatientSex": "CS",
    "StudyInstanceUID": "UI",
    "StudyDate": "DA",
    "StudyTime": "TM",
    "StudyID": "SH",
    "AccessionNumber": "SH",
    "ReferringPhysicianName": "PN",
    "StudyDescription": "LO",
}
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_SERIES_NUMBER = 9990  # after the images, wherever viewers sort by it


@dataclass(frozen=True)
class Document:
    """``signed_at`` in the clinic's time zone. ``title`` and ``series`` for people, in the report's language."""

    pdf: bytes = field(repr=False)
    study_instance_uid: str
    version: int
    title: str
    series: str
    signed_at: datetime
    institution: str

    @property
    def sop_instance_uid(self) -> str:
        """Made from the report alone: its study, version and bytes (PS3.5 section B.2; RFC 9562 section 5.5)."""
        digest = hashlib.sha256(self.pdf).hexdigest()
        return _uid("report", self.study_instance_uid, str(self.version), digest)

    @property
    def series_instance_uid(self) -> str:
        """One series for all versions of a study's report."""
        return _uid("series", self.study_instance_uid)


def _uid(*parts: str) -> str:
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(parts)).int}"


def study_of(told: Mapping[str, str]) -> str:
    """Orthanc's id of the study that an object with these patient and study tags becomes part of: the SHA-1 of both
    ids (Orthanc Book, "Orthanc identifiers"). Another one than they came from: cleaning changed an id."""
    ids = f"{_patient_id(told)}|{told.get('StudyInstanceUID', '')}"
    digest = hashlib.sha1(ids.encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def encapsulate(document: Document, told: Mapping[str, str]) -> bytes:
    """The object as a DICOM file (PS3.10, explicit VR little endian). ``told``: the archive's main tags of patient
    and study, by keyword."""
    # Heavy, and few processes need it.
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(SOP_CLASS)
    meta.MediaStorageSOPInstanceUID = UID(document.sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_uid("implementation"))
    meta.ImplementationVersionName = "STUDYKEY"
    made = FileDataset(io.BytesIO(), {}, file_meta=meta, preamble=b"\0" * 128)
    made.SpecificCharacterSet = "ISO_IR 192"  # UTF-8
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    _copy(told, made)
    day, time = document.signed_at.strftime("%Y%m%d"), document.signed_at.strftime("%H%M%S")
    # Encapsulated Document Series and General Equipment (PS3.3 sections C.24.1, C.7.5.1).
    made.Modality, made.SeriesInstanceUID = "DOC", document.series_instance_uid
    made.SeriesNumber, made.SeriesDescription = _SERIES_NUMBER, _cleaned("LO", document.series)
    made.Manufacturer, made.InstitutionName = "Studykey", _cleaned("LO", document.institution)
    made.ConversionType = "WSD"  # SC Equipment: Workstation (PS3.3 section C.8.6.1)
    # Encapsulated Document (PS3.3 section C.24.2).
    made.InstanceNumber = document.version
    made.ContentDate, made.ContentTime, made.AcquisitionDateTime = day, time, ""
    made.BurnedInAnnotation = "YES"  # the page names the patient
    made.DocumentTitle = document.title
    made.VerificationFlag = "VERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = document.pdf + b"\0" * (len(document.pdf) % 2)
    made.EncapsulatedDocumentLength = len(document.pdf)  # without the byte that makes it even
    name = Dataset()
    name.CodeValue, name.CodingSchemeDesignator = "18748-4", "LN"
    name.CodeMeaning = "Diagnostic imaging study"
    made.ConceptNameCodeSequence = [name]
    written = io.BytesIO()
    made.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _copy(told: Mapping[str, str], made: object) -> None:
    """Empty where the archive has nothing, or nothing valid: these tags are type 2 at most, but for the UID."""
    for keyword, representation in _COPIED.items():
        value = _cleaned(representation, told.get(keyword, ""))
        if value or keyword != "StudyDescription":
            setattr(made, keyword, value)
    # As it is, even where it is longer than the standard allows: it says whose the object is.
    from pydicom import config
    from pydicom.dataelem import DataElement

    made.add(DataElement("PatientID", "LO", _patient_id(told), validation_mode=config.IGNORE))  # type: ignore[attr-defined]


def _patient_id(told: Mapping[str, str]) -> str:
    """Its spaces stay as they are: another id would be another patient."""
    told_id = told.get("PatientID", "")
    is_harmless = all(unicodedata.category(character)[0] != "C" for character in told_id)
    return told_id.strip(" ") if is_harmless else dicom.clean_text(told_id)


def _cleaned(representation: str, value: str) -> str:
    """A value as the standard allows it (PS3.5 section 6.2); what can't be made so is empty."""
    text = dicom.clean_text(value)
    if representation == "DA":
        day = dicom.parse_date(text)
        return day.isoformat().replace("-", "") if day else ""
    if representation == "TM":
        return text if _TIME.fullmatch(text) else ""
    if representation == "CS":
        return text if text in ("M", "F", "O") else ""
    if representation == "PN":
        text = text.replace("\\", " ")
        return "=".join(group[: _LONGEST["PN"]] for group in text.split("=")[:3])
    if representation in _LONGEST:
        return text.replace("\\", " ")[: _LONGEST[representation]].strip()
    return text
