"""Tags of a study that have no place of their own in Studykey, and its labels: what a rule can name beside the five
tags of physicians and institutions. Refuses what is a study's or a patient's own (numbers, names, times): no rule
groups by it, and each would be one more value to keep. Texts are cleaned and bounded.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.dicom import clean_text
from app.domain.tag_match import MOST_VALUES

LABELS = "Labels"  # Orthanc 1.12 and later
MOST_TAGS, LONGEST_KEYWORD, LONGEST_VALUE = 20, 64, 256

# Columns of their own, and what differs from study to study.
_ELSEWHERE = frozenset(
    (
        *("StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "StudyDescription", "AccessionNumber"),
        *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "OtherPatientIDs"),
        *("InstitutionName", "ReferringPhysicianName", "PerformingPhysicianName"),
        *("NameOfPhysiciansReadingStudy", "ResponsibleOrganization", LABELS),
    )
)


def is_keyword(text: str) -> bool:
    """Whether a rule can name this tag: a DICOM keyword (PS3.6) without a place of its own, or the labels."""
    is_like_one = text.isascii() and text.isalnum() and text[:1].isupper() and len(text) <= LONGEST_KEYWORD
    return text == LABELS or (is_like_one and text not in _ELSEWHERE)


def others(main_tags: Mapping[str, object], labels: object = None) -> dict[str, str]:
    """Of a study's main tags and labels what a rule can name, each cleaned; none that is empty, none in part: the
    beginning of one value may be another.

    Labels beyond the values that a rule compares (``MOST_VALUES``) are left out, the last ones of the alphabet.
    """
    found = {
        keyword: text
        for keyword, value in sorted(main_tags.items())
        if is_keyword(keyword) and (text := _whole_values(clean_text(value)))
    }
    kept = dict(list(found.items())[:MOST_TAGS])
    if names := label_names(labels)[:MOST_VALUES]:
        kept[LABELS] = "\\".join(names)
    return kept


def label_names(labels: object) -> list[str]:
    """Labels as Orthanc tells them, in order; none where there is no such thing."""
    if not isinstance(labels, list):
        return []
    cleaned = {clean_text(label).replace("\\", " ").strip() for label in labels}
    return sorted(label for label in cleaned if 0 < len(label) <= LONGEST_VALUE)


def _whole_values(text: str) -> str:
    if len(text) <= LONGEST_VALUE:
        return text
    return text[: LONGEST_VALUE + 1].rpartition("\\")[0]
