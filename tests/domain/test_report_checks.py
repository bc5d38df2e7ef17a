"""Whose report it is, as far as its text says: dates of birth, names and numbers in the ways people write them."""

from __future__ import annotations

from datetime import date

import pytest

from app.domain.dicom import parse_person_name
from app.domain.report_checks import names_somebody, shows_any, shows_birth_date

BORN = date(1958, 3, 7)


@pytest.mark.parametrize(
    "text",
    [
        "geb. 07.03.1958,",
        "born 3/7/1958",
        "7/3/58",
        "1958-03-07",
        "DOB 19580307",
        "7. März 1958",
        "7th March 1958",
        "March 7, 1958",
        "7 de marzo de 1958",
        "1958年3月7日生",
        "٧/٣/١٩٥٨",
    ],
)
def test_the_birth_date_is_found_however_it_is_written(text: str) -> None:
    assert shows_birth_date(f"Report of\n{text}\nNo fracture.", BORN)


@pytest.mark.parametrize(
    "text", ["17.03.1958", "07.03.1959", "7.3 mm in 1958", "20.11.2026", "A107.03.19580", "In March 1958"]
)
def test_other_dates_and_figures_are_none(text: str) -> None:
    assert not shows_birth_date(text, BORN)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Muster^Erika", "Frau MUSTER, Erika"),
        ("García López^Ana", "Paciente: Ana Garcia Lopez"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "氏名 山田太郎"),
        ("O'Neil^Pat", "Pat O’Neil"),
    ],
)
def test_a_name_is_found_in_any_of_its_scripts_without_accents_or_capitals(name: str, text: str) -> None:
    assert names_somebody(text, parse_person_name(name))


def test_a_part_of_another_word_is_no_name() -> None:
    assert not names_somebody("A typical mustering of findings", parse_person_name("Muster^Erika"))
    assert not names_somebody("Anything", parse_person_name(""))


def test_a_number_counts_only_by_itself() -> None:
    assert shows_any("ID: p0007.", ["P0007"])
    assert not shows_any("ID: P00071", ["P0007"])
    assert not shows_any("ID", [""])
