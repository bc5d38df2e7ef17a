"""Valid DICOM objects of a synthetic study.

Owns the tags; the pixels are phantoms.py's and xray.py's. Every UID follows from the study's own, so that
sending a study again brings nothing new. Refuses to look real: the institution is the Demo Clinic, and every
picture carries a letter (sign.py).
"""

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from app.demo.phantoms import chest_slice, head_slice
from app.demo.protocol_sheet import protocol_sheet
from app.demo.xray import chest_view

Modality = Literal["CT", "DX", "MR"]

INSTITUTION = "Demo Clinic"
MAKER = "Studykey demo (synthetic)"
# The storage classes used (PS3.4 B.5).
CLASS_OF: dict[str, str] = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "DOC": "1.2.840.10008.5.1.4.1.1.104.1",
}


@dataclass(frozen=True)
class SyntheticStudy:
    """A study to be made. ``size`` is the matrix of a slice, and the shorter side of an X-ray."""

    label: str
    patient_name: str
    patient_id: str
    birth_date: date | None
    study_instance_uid: str
    study_date: date
    modality: Modality
    description: str
    slices: int
    size: int
    letter: str
    sex: str = "O"
    character_set: str = "ISO_IR 192"
    document: bool = False
    extra: dict[str, str] = field(default_factory=dict)

    def uid(self, *parts: object) -> str:
        """The UID of a part of this study."""
        return derived_uid(self.study_instance_uid, *parts)


def derived_uid(*parts: object) -> str:
    """A UID that is always the same for the same parts (PS3.5 B.2: 2.25 and a UUID as a number)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(map(str, parts))).int}"


def files(study: SyntheticStudy) -> Iterator[bytes]:
    """The study's DICOM files (PS3.10, explicit VR little endian), made one at a time."""
    for made in datasets(study):
        buffer = io.BytesIO()
        made.save_as(buffer, enforce_file_format=True)
        yield buffer.getvalue()


def count(study: SyntheticStudy) -> int:
    """How many ``files`` a study has."""
    images = {"CT": study.slices, "MR": 2 * study.slices, "DX": 2}[study.modality]
    return images + study.document


def datasets(study: SyntheticStudy) -> Iterator[FileDataset]:
    """The study's objects, series after series."""
    seed = int(study.study_instance_uid.rsplit(".", 1)[-1]) % 2**32
    if study.modality == "CT":
        for index in range(study.slices):
            pixels = chest_slice(index, study.slices, size=study.size, seed=seed, letter=study.letter)
            made = _slice(study, 1, "Axial 5 mm", index, pixels, extent=380.0, height=300.0)
            made.update(_ct_tags())
            yield made
    elif study.modality == "MR":
        for number, weighting in enumerate(("T1", "T2"), start=1):
            for index in range(study.slices):
                values = head_slice(
                    index, study.slices, size=study.size, seed=seed, weighting=weighting, letter=study.letter
                )
                made = _slice(study, number, f"{weighting} axial", index, values, extent=240.0, height=150.0)
                made.update(_mr_tags(weighting))
                yield made
    else:
        for number, view in enumerate(("PA", "LL"), start=1):
            size = (round(study.size * 1.2), study.size)
            picture = chest_view(view, size=size, seed=seed, letter=study.letter)
            yield _xray(study, number, view, picture)
    if study.document:
        yield _document(study)


def _common(study: SyntheticStudy, kind: str, series: int, description: str, index: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(CLASS_OF[kind])
    meta.MediaStorageSOPInstanceUID = UID(study.uid(series, index))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(io.BytesIO(), {}, file_meta=meta, preamble=b"\0" * 128)
    d.SpecificCharacterSet = study.character_set
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.StudyInstanceUID, d.SeriesInstanceUID = study.study_instance_uid, study.uid(series)
    d.PatientName, d.PatientID, d.PatientSex = study.patient_name, study.patient_id, study.sex
    d.PatientBirthDate = f"{study.birth_date:%Y%m%d}" if study.birth_date else ""
    d.StudyDate = d.SeriesDate = d.ContentDate = f"{study.study_date:%Y%m%d}"
    d.StudyTime, d.SeriesTime = "091500", f"09{15 + series:02}00"
    d.ContentTime = f"09{15 + series:02}{index % 60:02}"
    d.StudyID, d.SeriesNumber, d.InstanceNumber = "1", series, index + 1
    d.AccessionNumber = f"A{int(study.uid('accession').rsplit('.', 1)[-1]) % 10**9:09}"
    d.StudyDescription, d.SeriesDescription, d.Modality = study.description, description, kind
    d.Manufacturer, d.ManufacturerModelName, d.DeviceSerialNumber = MAKER, "Phantom", "0"
    d.SoftwareVersions, d.InstitutionName = "1", INSTITUTION
    # The five tags by which physicians and institutions find studies.
    d.ReferringPhysicianName = "Lindqvist^Karin^^Dr."
    d.PerformingPhysicianName = "Haddad^Omar^^Dr."
    d.NameOfPhysiciansReadingStudy = "Ferreira^Joana^^Dr."
    d.ResponsibleOrganization = "Demo Health Trust"
    if kind != "DOC":
        d.BodyPartExamined = "HEAD" if kind == "MR" else "CHEST"
    for keyword, value in study.extra.items():
        setattr(d, keyword, value)
    return d


def _pixels(d: Dataset, pixels: npt.NDArray[np.int16] | npt.NDArray[np.uint16], bits: int) -> None:
    d.Rows, d.Columns = pixels.shape
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, bits, bits - 1
    d.PixelRepresentation = int(pixels.dtype.kind == "i")
    d.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    d["PixelData"].VR = "OW"


def _slice(
    study: SyntheticStudy,
    series: int,
    description: str,
    index: int,
    pixels: npt.NDArray[np.int16] | npt.NDArray[np.uint16],
    *,
    extent: float,
    height: float,
) -> FileDataset:
    """One axial slice, ``extent`` mm wide, of a stack ``height`` mm tall (PS3.3 C.7.6.2)."""
    d = _common(study, study.modality, series, description, index)
    spacing, step = extent / study.size, height / study.slices
    d.FrameOfReferenceUID, d.PositionReferenceIndicator = study.uid("frame"), ""
    d.PatientPosition, d.PatientOrientation, d.AcquisitionNumber = "HFS", ["L", "P"], 1
    d.PixelSpacing = [round(spacing, 6)] * 2
    d.SliceThickness = d.SpacingBetweenSlices = round(step, 3)
    # From the head downwards, so that the first image by number is also the first by place.
    z = round((study.slices - 1 - index) * step, 3)
    corner = round(-extent / 2 + spacing / 2, 4)
    d.ImagePositionPatient = [corner, corner, z]
    d.ImageOrientationPatient, d.SliceLocation = [1, 0, 0, 0, 1, 0], z
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if study.modality == "CT" else "OTHER"]
    if study.modality == "CT":
        # As scanners store it: nothing negative, the intercept takes it back.
        pixels = (pixels + 1024).astype(np.uint16)
    _pixels(d, pixels, 12)
    return d


def _ct_tags() -> Dataset:
    d = Dataset()
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = -1024, 1, "HU"
    d.WindowCenter, d.WindowWidth = [40, -600], [400, 1500]
    d.WindowCenterWidthExplanation = ["Soft tissue", "Lung"]
    d.KVP, d.ConvolutionKernel, d.XRayTubeCurrent, d.ExposureTime = 120, "STANDARD", 210, 500
    return d


def _mr_tags(weighting: str) -> Dataset:
    d = Dataset()
    d.ScanningSequence, d.SequenceVariant, d.ScanOptions, d.MRAcquisitionType = "SE", "NONE", "", "2D"
    d.RepetitionTime, d.EchoTime = (500, 12) if weighting == "T1" else (4200, 98)
    d.EchoTrainLength, d.MagneticFieldStrength = 1, 1.5
    d.WindowCenter, d.WindowWidth = 500, 1000
    return d


def _xray(study: SyntheticStudy, series: int, view: str, pixels: npt.NDArray[np.uint16]) -> FileDataset:
    """One view (PS3.3 A.26); the second is the left lateral."""
    d = _common(study, "DX", series, "PA" if view == "PA" else "Lateral", 0)
    d.PresentationIntentType, d.ViewPosition = "FOR PRESENTATION", view
    d.PatientOrientation = ["L", "F"] if view == "PA" else ["P", "F"]
    d.ImageType, d.ImageLaterality = ["ORIGINAL", "PRIMARY", ""], "U"
    d.ImagerPixelSpacing = [round(350 / study.size, 6)] * 2
    d.PixelIntensityRelationship, d.PixelIntensityRelationshipSign = "LOG", -1
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = 0, 1, "US"
    d.PresentationLUTShape, d.LossyImageCompression, d.BurnedInAnnotation = "IDENTITY", "00", "YES"
    d.WindowCenter, d.WindowWidth, d.KVP = 2048, 4096, 125
    d.DetectorType, d.PositionerType, d.AcquisitionNumber = "DIRECT", "NONE", 1
    d.AnatomicRegionSequence, d.AcquisitionContextSequence = [_code("816094009", "SCT", "Chest")], []
    names = {"PA": ("272479007", "postero-anterior"), "LL": ("399173006", "left lateral")}
    d.ViewCodeSequence = [_code(names[view][0], "SCT", names[view][1])]
    _pixels(d, pixels, 12)
    return d


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    d = Dataset()
    d.CodeValue, d.CodingSchemeDesignator, d.CodeMeaning = value, scheme, meaning
    return d


def _document(study: SyntheticStudy) -> FileDataset:
    """An object without pixels: an encapsulated PDF (PS3.3 A.45.1)."""
    d = _common(study, "DOC", 9, "Protocol sheet", 0)
    d.ConversionType, d.BurnedInAnnotation, d.DocumentTitle = "WSD", "NO", "Protocol sheet"
    d.AcquisitionDateTime, d.ConceptNameCodeSequence = f"{study.study_date:%Y%m%d}091500", []
    d.MIMETypeOfEncapsulatedDocument = "application/pdf"
    lines = [study.description, f"{INSTITUTION}, {study.study_date}", "Synthetic: not a patient."]
    text = protocol_sheet(lines)
    d.EncapsulatedDocument, d.EncapsulatedDocumentLength = text + b"\0" * (len(text) % 2), len(text)
    return d
