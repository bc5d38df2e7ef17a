"""Studies in words for people: the kind of examination is always said, and no place leaves the study."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.permissions import PATIENT, Permission
from app.domain.study import Picture, Series
from app.models import Study
from app.web import study_texts


@pytest.fixture(autouse=True)
def page(public_app: Flask) -> Iterator[None]:
    with public_app.test_request_context("/"):
        yield


def study(**changes: Any) -> Study:
    return Study(
        **{
            "id": 7,
            "modalities": "CT",
            "description": "",
            "study_date": date(2026, 11, 19),
            "institution_name": "Test Clinic",
            "patient_name": "Moreno^Ana",
            "series_count": 2,
            "instance_count": 60,
            **changes,
        }
    )


def series(number: int, pictures: int, *, title: str = "", modality: str = "CT") -> Series:
    return Series(number, title, modality, tuple(Picture(f"i{n}", 0) for n in range(pictures)))


@pytest.mark.parametrize(
    ("modalities", "description", "title"),
    [
        ("CT", "", "CT"),
        ("CT", "Chest", "CT: Chest"),
        ("CT", "CT chest", "CT chest"),
        ("CT", "ct-thorax", "ct-thorax"),
        ("CT", "Fracture of the hip", "CT: Fracture of the hip"),  # "ct" within a word says no CT
        ("MR", "Knee", "MRI: Knee"),
        ("CR\\DX", "Chest p.a.", "X-ray: Chest p.a."),
        ("CT\\SR", "Chest", "CT: Chest"),  # the report beside the images is no kind of image
        ("CT\\PT", "Whole body", "CT, PET: Whole body"),
        ("SR", "", "Structured report"),
        ("", "", "Images"),
        ("ZZ", "", "Other images"),
        ("ZZ\\YY", "", "Other images"),
        ("CT", "a+b(c", "CT: a+b(c"),
        ("CT", "<script>", "CT: <script>"),  # escaped by the template
    ],
)
def test_a_study_is_named_by_its_kind_and_the_clinics_own_words(
    modalities: str, description: str, title: str
) -> None:
    assert study_texts.describe(study(modalities=modalities, description=description))["title"] == title


def test_a_study_without_a_date_or_a_name_says_nothing_false() -> None:
    said = study_texts.describe(study(study_date=None, patient_name=""))
    assert (said["date_text"], said["patient_name"]) == ("", "")


def test_the_month_of_a_date_is_a_word() -> None:
    assert study_texts.describe(study())["date_text"] == "November 19, 2026"


@pytest.mark.parametrize("code", ["CT", "MR", "SR", "", "ZZ", "<b>"])
def test_a_dicom_code_is_never_shown_without_its_meaning(code: str) -> None:
    meaning = study_texts.modality(code)
    assert meaning
    assert "<" not in meaning
    if code not in ("CT",):
        assert meaning != code


@pytest.mark.parametrize(
    ("allowed", "report", "download"),
    [
        (PATIENT, True, True),
        (Permission.VIEW, False, False),
        (Permission.VIEW | Permission.REPORT, True, False),
        (Permission.VIEW | Permission.DOWNLOAD, False, True),
    ],
)
def test_a_page_offers_only_what_the_grant_allows(allowed: Permission, report: bool, download: bool) -> None:
    assert study_texts.permissions(allowed) == {"report": report, "download": download}


def test_a_series_without_pictures_is_named_and_says_why_it_is_not_shown() -> None:
    said = study_texts.describe_series(series(2, 0, modality="SR"))
    assert (said["title"], said["shown"]) == ("Structured report", False)
    assert said["reason"].startswith("Structured report: it has no pictures")


@pytest.mark.parametrize(
    ("number", "picture", "expected"),
    [
        (1, None, 3),  # the middle of five
        (1, 1, 1),
        (1, 5, 5),
        (2, None, 1),
        (1, 0, None),
        (1, 6, None),
        (1, -1, None),
        (0, 1, None),
        (-1, 1, None),  # not the last series, as an index would have it
        (4, 1, None),
        (None, None, None),
        (3, None, None),  # nothing to see
        (3, 1, None),
    ],
)
def test_only_places_within_the_study_exist(
    number: int | None, picture: int | None, expected: int | None
) -> None:
    listed = [series(1, 5), series(2, 1), series(3, 0, modality="SR")]
    found = study_texts.position(listed, number, picture, base="/study/1/look")
    assert (found and found["image_number"]) == expected


def test_the_first_and_the_last_picture_have_no_neighbour_beyond() -> None:
    listed = [series(1, 2, title="Axial")]
    first = study_texts.position(listed, 1, 1, base="/study/1/look")
    last = study_texts.position(listed, 1, 2, base="/study/1/look")
    assert first is not None
    assert last is not None
    assert (first["previous_url"], last["next_url"]) == (None, None)
    assert first["next_url"] == "/study/1/look?series=1&image=2"
    assert last["image_url"] == "/study/1/look/1/2.jpg"
    assert last["alt"] == "Axial, image 2 of 2"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_whatever_the_images_say_a_study_has_a_title(description: str, name: str, modalities: str) -> None:
    said = study_texts.describe(study(description=description, patient_name=name, modalities=modalities))
    assert said["title"]
