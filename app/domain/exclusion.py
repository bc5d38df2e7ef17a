"""Which studies get no code by themselves: phantoms, test patients, modalities that nobody gives away.

Nobody is shut out by it: a study that is left out gets its code when somebody prints its sheet.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from app.domain.search import fold


class LeftOut(StrEnum):
    """Why a study gets no code by itself."""

    PAUSED = "paused"  # nobody gets one for now
    MODALITY = "modality"  # none of its modalities is among those that do
    PATIENT = "patient"  # the name or the ID fits a pattern


def why_left_out(
    *,
    is_paused: bool,
    modalities_with_code: Iterable[str],
    patterns: Iterable[str],
    modalities: Iterable[str],
    patient_name: str,
    patient_id: str,
) -> LeftOut | None:
    """The first reason that holds; None: the study gets a code.

    ``patient_name`` is a PN value (PS3.5 section 6.2.1); no ``modalities_with_code`` means all.
    """
    if is_paused:
        return LeftOut.PAUSED
    wanted = set(modalities_with_code)
    if wanted and not wanted & set(modalities):
        return LeftOut.MODALITY
    if any(fits(pattern, patient_name=patient_name, patient_id=patient_id) for pattern in patterns):
        return LeftOut.PATIENT
    return None


def fits(pattern: str, *, patient_name: str, patient_id: str) -> bool:
    """Whether the ID, or the name in any of its scripts, is what ``pattern`` says from its first to its last
    letter. ``*`` stands for any letters, case and accents don't count, ``^`` is a space."""
    wanted = _folded(pattern)
    return any(_matches(wanted, _folded(text)) for text in (patient_id, *patient_name.split("=")) if text)


def _folded(text: str) -> str:
    return " ".join(fold(text).replace("^", " ").split())


def _matches(pattern: str, text: str) -> bool:
    """Piece by piece from the left: linear, where a regular expression of many stars would not be."""
    first, *pieces = pattern.split("*")
    if not pieces:
        return text == first
    last = pieces.pop()
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in pieces:
        found = text.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True
