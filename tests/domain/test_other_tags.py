"""Further tags and labels that a rule can name: read tolerantly, kept small."""

from __future__ import annotations

import pytest

from app.domain.other_tags import LABELS, MOST_TAGS, is_keyword, others


def test_tags_without_a_place_of_their_own_are_kept_and_the_patients_own_are_not() -> None:
    told = others(
        {"RequestingPhysician": "Haus^Anna ", "PatientID": "4711", "StudyTime": "0930", "Empty": ""}
    )

    assert told == {"RequestingPhysician": "Haus^Anna"}


def test_labels_are_one_tag_with_several_values() -> None:
    assert others({}, ["ward-7", "teaching", "ward-7"]) == {LABELS: "teaching\\ward-7"}


@pytest.mark.parametrize("labels", [None, "ward", {"a": 1}, [], [7, None]])
def test_an_orthanc_without_labels_has_none(labels: object) -> None:
    assert others({}, labels) == {}


def test_hostile_tags_are_cleaned_and_bounded() -> None:
    told = others({f"Tag{number:03}": "\u202e" + "x" * 256 for number in range(500)})

    assert len(told) == MOST_TAGS
    assert all(value == "x" * 256 for value in told.values())
    assert not is_keyword("0008,0090")
    assert not is_keyword("<script>")
    assert not is_keyword("")


def test_what_is_too_long_is_left_out_and_never_cut_into_another_value() -> None:
    wards = "\\".join(f"Ward {number:04}" for number in range(40))

    told = others({"RequestingService": wards, "StudyComments": "x" * 257}, ["y" * 257, "ward-7"])

    assert told["RequestingService"].split("\\") == wards.split("\\")[:25]
    assert "StudyComments" not in told and told[LABELS] == "ward-7"
