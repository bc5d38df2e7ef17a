"""Objects for the light look that the demo doesn't send: a film of several frames, and pixels as noisy as real ones."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import numpy as np
from pydicom import Dataset, dcmread

from app.demo import studies
from app.demo.dicom_objects import derived_uid
from app.demo.studies import SyntheticStudy


def film(study: SyntheticStudy, *, frames: int, milliseconds: float = 100) -> bytes:
    """An angiography of ``frames`` frames in ``study``, made of its slices at ``milliseconds`` each."""
    slices = [one for one in _read(studies.files(study)) if "PixelData" in one][:frames]
    made = slices[0]
    pixels = np.stack([one.pixel_array for one in slices])
    low, high = float(pixels.min()), float(pixels.max())
    made.Modality, made.SeriesDescription, made.SeriesNumber = "XA", "Film", "9"
    made.SeriesInstanceUID = derived_uid("film", study.study_instance_uid)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = derived_uid(
        "film object", study.study_instance_uid
    )
    made.NumberOfFrames, made.FrameTime = len(slices), milliseconds
    for keyword in ("RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth"):
        if keyword in made:
            delattr(made, keyword)
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PixelData = ((pixels - low) / (high - low) * 255).astype(np.uint8).tobytes()
    return _written(made)


def noisy(files: Iterable[bytes], study: SyntheticStudy, *, strength: float) -> Iterator[bytes]:
    """``files``, as ``study``, with noise of this deviation in stored values: JPEGs of it weigh what those of real ones
    do."""
    random = np.random.default_rng(1)
    for one in _read(files):
        one.PatientID, one.StudyInstanceUID = study.patient_id, study.study_instance_uid
        one.SeriesInstanceUID = derived_uid(study.study_instance_uid, one.SeriesInstanceUID)
        one.SOPInstanceUID = derived_uid(study.study_instance_uid, one.SOPInstanceUID)
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        if "PixelData" in one:
            pixels = one.pixel_array
            grain = pixels + random.normal(0, strength, pixels.shape)
            one.PixelData = np.clip(grain, 0, 2**one.BitsStored - 1).astype(pixels.dtype).tobytes()
        yield _written(one)


def _read(files: Iterable[bytes]) -> Iterator[Dataset]:
    for file in files:
        yield dcmread(io.BytesIO(file))


def _written(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer)
    return buffer.getvalue()
