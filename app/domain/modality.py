"""What Modality (0008,0060) codes mean, in words for people (PS3.3 section C.7.3.1.1.1).

The words are English and marked for the catalogues; pages and paper translate them where they show them.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def N_(text: str) -> str:  # noqa: N802  (gettext's own name for "to be translated later")
    return text


MEANINGS = {
    "CR": N_("X-ray"),
    "DX": N_("X-ray"),
    "CT": N_("CT"),
    "MR": N_("MRI"),
    "US": N_("Ultrasound"),
    "MG": N_("Mammogram"),
    "NM": N_("Nuclear medicine"),
    "PT": N_("PET"),
    "XA": N_("Angiography"),
    "RF": N_("Fluoroscopy"),
    "IO": N_("Dental X-ray"),
    "PX": N_("Dental panorama"),
    "ES": N_("Endoscopy"),
    "XC": N_("Photograph"),
    "OP": N_("Eye photograph"),
    "OPT": N_("Eye scan"),
    "SM": N_("Microscopy"),
    "BMD": N_("Bone density"),
    "SC": N_("Captured picture"),
    "OT": N_("Other images"),
    "SR": N_("Structured report"),
    "DOC": N_("Document"),
    "PR": N_("Display settings"),
    "KO": N_("List of key images"),
    "SEG": N_("Marked regions"),
    "RTSTRUCT": N_("Marked regions"),
    "RTPLAN": N_("Treatment plan"),
    "RTDOSE": N_("Treatment dose"),
    "ECG": N_("ECG curve"),
    "REG": N_("Alignment data"),
}
OTHER = N_("Other images")
IMAGES = N_("Images")
WITH_DESCRIPTION = N_("%(kind)s: %(description)s")
NOT_IMAGES = frozenset({"SR", "DOC", "PR", "KO", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG"})


def meanings(modalities: str) -> list[str]:
    """The meanings of a study's modalities (codes joined by a backslash), those with images first of all.

    Each once; objects without images are named only where there is nothing else.
    """
    codes = [code for code in modalities.split("\\") if code]
    shown = [code for code in codes if code not in NOT_IMAGES] or codes
    return list(dict.fromkeys(MEANINGS.get(code, OTHER) for code in shown))


def examination(modalities: str, description: str, translate: Callable[[str], str]) -> str:
    """What was examined, for a heading: "X-ray: Chest, two views".

    The description is the modality's own words; its meaning stands before it, unless it says so already
    ("CT chest"), and alone where there is no description.
    """
    kinds = ", ".join(map(translate, meanings(modalities))) or translate(IMAGES)
    if not description:
        return kinds
    if re.search(rf"\b{re.escape(kinds)}\b", description, re.IGNORECASE):
        return description
    return translate(WITH_DESCRIPTION) % {"kind": kinds, "description": description}
