"""The synthetic studies of the demo and of the tests: which patients, and how they get into Orthanc.

Owns the people (each one a case that a portal must get right) and the sending. Refuses to look real: every
PatientID starts with DEMO-. What the objects hold is dicom_objects.py's.
"""

from collections.abc import Callable, Iterable
from datetime import date

import requests

from app.demo.dicom_objects import Modality, SyntheticStudy, count, derived_uid, files

__all__ = ["LETTER", "SyntheticStudy", "count", "demo_studies", "files", "send", "study"]

LETTER: dict[Modality, str] = {"CT": "F", "DX": "R", "MR": "G"}
"""The letter of the sign by modality, unless a study has one of its own."""


def study(
    *,
    patient_name: str = "Moreno^Ana",
    patient_id: str = "DEMO-1",
    birth_date: date | None = date(1961, 4, 12),
    modality: Modality = "CT",
    slices: int = 3,
    size: int = 64,
    study_instance_uid: str | None = None,
    study_date: date = date(2025, 3, 14),
    label: str = "",
    description: str = "",
    letter: str | None = None,
    sex: str = "O",
    character_set: str = "ISO_IR 192",
    document: bool = False,
    **tags: str,
) -> SyntheticStudy:
    """A study for a test, small unless told otherwise; ``tags`` are set on every object (keyword=value).

    The sign can be read on screen from about ``size=128`` on. Without a UID one follows from patient,
    modality and label. ``slices`` is per series, and means nothing for DX, which has two views.
    """
    described = {"CT": "CT chest with contrast", "DX": "Chest X-ray, two views", "MR": "MR head"}[modality]
    return SyntheticStudy(
        label=label or described,
        patient_name=patient_name,
        patient_id=patient_id,
        birth_date=birth_date,
        study_instance_uid=study_instance_uid or derived_uid("studykey", patient_id, modality, label),
        study_date=study_date,
        modality=modality,
        description=description or described,
        slices=slices,
        size=size,
        letter=letter or LETTER[modality],
        sex=sex,
        character_set=character_set,
        document=document,
        extra=tags,
    )


def demo_studies(*, today: date) -> list[SyntheticStudy]:
    """What the demo sends, dated within the week before ``today``."""

    def ago(days: int) -> date:
        return date.fromordinal(today.toordinal() - days)

    return [
        study(slices=60, size=512, study_date=ago(0), sex="F", label="CT of the chest, 60 slices"),
        study(
            patient_name="Okafor^Samuel",
            patient_id="DEMO-2",
            birth_date=None,
            modality="DX",
            size=1152,
            study_date=ago(1),
            sex="M",
            label="chest X-ray, no birth date in the images",
        ),
        study(
            patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう",
            patient_id="DEMO-3",
            birth_date=date(1978, 11, 3),
            modality="MR",
            slices=20,
            size=256,
            study_date=ago(2),
            sex="M",
            document=True,
            label="MR of the head with a document",
        ),
        study(
            patient_name="النجار^ليلى",
            patient_id="DEMO-4",
            birth_date=date(1990, 2, 28),
            slices=24,
            size=512,
            study_date=ago(4),
            sex="F",
            character_set="ISO_IR 127",
            label="CT of the chest, 24 slices",
        ),
    ]


def send(
    url: str, files: Iterable[bytes], *, auth: tuple[str, str] | None, progress: Callable[[str], None]
) -> None:
    """POST each file to Orthanc's ``/instances`` under ``url``.

    Orthanc answers 200 to one it has already and keeps what it has. Raises requests.RequestException.
    """
    sent = 0
    with requests.Session() as session:
        session.auth = auth
        for sent, file in enumerate(files, start=1):
            session.post(f"{url.rstrip('/')}/instances", data=file, timeout=60).raise_for_status()
            if sent % 20 == 0:
                progress(f"Sent {sent} images…")
    progress(f"Sent {sent} images.")
