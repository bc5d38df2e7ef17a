"""Patterns for patients who get no code by themselves."""

from __future__ import annotations

import time

import pytest

from app.domain.exclusion import LeftOut, fits, why_left_out


@pytest.mark.parametrize(
    ("pattern", "name", "patient_id"),
    [
        ("PHANTOM*", "Phantom^CT daily", "1"),
        ("phantom*", "PHANTOM", "1"),
        ("PHANTOM QA", "Phantom^QA", "1"),
        ("Phantom^QA", "PHANTOM^QA^^^", "1"),
        ("*test*", "Muster^Contest", "1"),
        ("TEST*", "Muster^Erika", "test-0001"),
        ("Muller*", "Müller^Jürgen", "1"),
        ("MÜLLER*", "MULLER^JURGEN", "1"),
        ("strasse*", "Straße^Anna", "1"),
        ("山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", "1"),
        ("*a*b*c", "xxaxxbxxc", "1"),
        ("[QA]*", "[qa]^daily", "1"),
        ("ab*ba", "abba", "1"),
    ],
)
def test_a_pattern_fits_name_or_id_whatever_the_case_and_accents(
    pattern: str, name: str, patient_id: str
) -> None:
    assert fits(pattern, patient_name=name, patient_id=patient_id)


@pytest.mark.parametrize(
    ("pattern", "name", "patient_id"),
    [
        ("PHANTOM", "Phantom^CT", "1"),  # anchored at both ends
        ("TEST*", "Contest^Anna", "1"),
        ("*TEST", "Testa^Anna", "1"),
        ("T?ST", "Test", "1"),  # only the star is a wildcard
        ("T.ST*", "Test", "1"),
        ("[QA]*", "Quirin^Anna", "1"),
        ("aba*aba", "ababa^", "1"),  # no letter counts twice
        ("*a*a*", "xa", "1"),
        ("X*", "", ""),
    ],
)
def test_a_pattern_fits_nobody_else(pattern: str, name: str, patient_id: str) -> None:
    assert not fits(pattern, patient_name=name, patient_id=patient_id)


def test_many_stars_take_no_longer() -> None:
    began = time.perf_counter()
    assert not fits("*a" * 32 + "b", patient_name="a" * 1024, patient_id="a" * 1024)
    assert time.perf_counter() - began < 0.1


def left_out(**changes: object) -> LeftOut | None:
    usual: dict[str, object] = {
        "is_paused": False,
        "modalities_with_code": (),
        "patterns": (),
        "modalities": ("CT", "SR"),
        "patient_name": "Muster^Erika",
        "patient_id": "P1",
    }
    return why_left_out(**(usual | changes))  # type: ignore[arg-type]


def test_one_of_its_modalities_is_enough() -> None:
    assert left_out() is None
    assert left_out(modalities_with_code=("CT", "MR")) is None
    assert left_out(modalities_with_code=("MR",)) is LeftOut.MODALITY
    assert left_out(modalities_with_code=("MR",), modalities=()) is LeftOut.MODALITY


def test_the_pause_comes_first() -> None:
    assert left_out(is_paused=True, patterns=("Muster*",)) is LeftOut.PAUSED
    assert left_out(patterns=("X*", "Muster*")) is LeftOut.PATIENT
