"""What was examined, in words for a patient: of codes and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from app.models import Study
from app.web import examination_texts


@pytest.fixture(autouse=True)
def page(public_app: Flask) -> Iterator[None]:
    with public_app.test_request_context("/"):
        yield


@pytest.mark.parametrize(
    ("modalities", "body_part", "words"),
    [
        ("CT", "CHEST", "CT scan of the chest"),
        ("CT\\SR", "CHEST", "CT scan of the chest"),  # the dose report beside the images
        ("CT", "", "CT scan"),
        ("CT", "SPECIALS", "CT scan"),
        ("MR", "LSPINE", "MRI scan of the lumbar spine (lower back)"),
        ("CR\\DX", "HAND", "X-ray of the hand"),
        ("CT\\PT", "WHOLEBODY", "PET-CT scan of the whole body"),
        ("CT\\US", "ABDOMEN", "CT scan and Ultrasound scan of the abdomen (belly)"),
        ("MG", "BREAST", "Mammogram"),
        ("SR", "CHEST", "Structured report"),
        ("ZZ", "CHEST", "Images of the chest"),
        ("ZZ", "", "Other images"),
        ("", "", "Images"),
    ],
)
def test_modality_and_body_part_become_words(modalities: str, body_part: str, words: str) -> None:
    assert examination_texts.in_words(modalities, body_part) == words


@pytest.mark.parametrize(
    ("description", "shown"),
    [("Thx nativ", "Thx nativ"), ("", ""), ("  ", ""), ("CT scan of the chest", "")],
)
def test_the_clinics_own_words_stand_beside_as_written(description: str, shown: str) -> None:
    study = Study(modalities="CT", body_part="CHEST", description=description)
    assert examination_texts.examined(study) == {"words": "CT scan of the chest", "clinic_words": shown}


def test_a_report_alone_has_no_preview() -> None:
    assert not examination_texts.has_pictures(Study(modalities="SR\\PR"))
    assert examination_texts.has_pictures(Study(modalities="CT\\SR"))
