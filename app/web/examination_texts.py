"""What was examined in words that a patient understands: "CT scan of the chest". The clinic's own words stay beside it.

From modality and body part alone; a description ("Thx nativ") is the clinic's shorthand, and nothing is guessed of it.
"""

from __future__ import annotations

from babel.lists import format_list

from app.domain import body_parts
from app.domain.modality import MEANINGS, N_, NOT_IMAGES, meanings
from app.models import Study
from app.web import i18n
from app.web.i18n import _

# Where the meaning of the modality alone sounds odd before "of the chest".
_EXAMINATIONS = {
    "CT": N_("CT scan"),
    "MR": N_("MRI scan"),
    "US": N_("Ultrasound scan"),
    "PT": N_("PET scan"),
    "NM": N_("Nuclear medicine scan"),
    "BMD": N_("Bone density scan"),
    "XA": N_("X-ray of blood vessels"),
    "OPT": N_("Eye scan"),
}
_PET_CT = N_("PET-CT scan")
# These say themselves what was examined.
_PART_IS_SAID = frozenset({"MG", "IO", "PX", "OP", "OPT", "ECG", "XA"})
WITH_PART = N_("%(kind)s of the %(part)s")


def examined(study: Study) -> dict[str, str]:
    """``words`` for a heading; ``clinic_words``: the description as the clinic wrote it, "" where it has none or says
    nothing else."""
    words = in_words(study.modalities, study.body_part)
    same = study.description.strip().casefold() in ("", words.casefold())
    return {"words": words, "clinic_words": "" if same else study.description}


def in_words(modalities: str, body_part: str) -> str:
    """``modalities``: codes joined by a backslash; ``body_part``: a code."""
    codes = [code for code in modalities.split("\\") if code]
    shown = [code for code in codes if code not in NOT_IMAGES]
    part = body_parts.part(body_part) if shown and not _PART_IS_SAID.intersection(shown) else ""
    kinds = _kinds(shown) or ([] if part else [_(kind) for kind in meanings(modalities)]) or [_("Images")]
    kind = format_list(kinds, locale=i18n.locale()) if len(kinds) > 1 else kinds[0]
    if not part:
        return kind
    return _(WITH_PART, kind=kind, part=_(part))


def has_pictures(study: Study) -> bool:
    """Whether a preview can be hoped for: a report alone has none."""
    return any(code not in NOT_IMAGES for code in study.modalities.split("\\") if code)


def _kinds(codes: list[str]) -> list[str]:
    if set(codes) == {"CT", "PT"}:
        return [_(_PET_CT)]
    known = [_EXAMINATIONS.get(code) or MEANINGS.get(code) for code in codes]
    return list(dict.fromkeys(_(kind) for kind in known if kind))
