"""The form for when things are released: its fields joined to a rule's text, and taken apart again."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from app.domain.modality import MEANINGS, NOT_IMAGES
from app.domain.release import Release, Rule, What, release
from app.services import rules as site_rules
from app.services.rules import Unusable
from app.web import release_texts, study_texts
from app.web.i18n import _

NAMES = ("release_images", "release_report", "release_by_modality")
_CELL = re.compile(r"(?P<when>at-once|at-signing)?(?:\+(?P<number>.*)(?P<unit>[hd]))?")
_EXAMPLE = "MG"


def typed(name: str, form: MultiDict[str, str]) -> str:
    """A rule's text from the form, as it would be kept; as typed where it can't be: then it is told so."""
    if name == "release_by_modality":
        text = ",".join(_typed_lines(form))
    else:
        when = form.get(f"{name}-when", "at-signing")
        text = _join(when, form.get(f"{name}-number", ""), form.get(f"{name}-unit", ""))
    try:
        return site_rules.write(site_rules.read(name, text))
    except Unusable:
        return text


def _typed_lines(form: MultiDict[str, str]) -> list[str]:
    lines = []
    for row in form.getlist("row"):
        fields = {key: form.get(f"{row}-{key}", "").strip() for key in _FIELDS}
        if form.get(f"{row}-remove"):
            continue
        code = fields["modality"] or "?"
        if fields["when"] or fields["number"] not in ("", "0"):
            lines.append(f"{code} images {_join(fields['when'], fields['number'], fields['unit'])}")
        if fields["report-number"]:
            number, unit = fields["report-number"], fields["report-unit"]
            lines.append(f"{code} report {_join('at-signing', number, unit)}")
    return lines


_FIELDS = ("modality", "when", "number", "unit", "report-number", "report-unit")


def _join(when: str, number: str, unit: str) -> str:
    """A comma would end the line, a space the timing."""
    number = re.sub(r"[\s,]+", ".", number.strip())
    return when if number in ("", "0") else f"{when}+{number}{unit if unit in ('h', 'd') else 'h'}"


def cells(text: str) -> dict[str, str]:
    """What stands in the fields of a timing; ``number`` is empty without a delay."""
    found = _CELL.fullmatch(text)
    parts = found.groupdict(default="") if found else {"when": "", "number": text, "unit": ""}
    return parts | {"unit": parts["unit"] or "h"}


def rows(text: str) -> list[dict[str, Any]]:
    """The lines of a rule's text by modality: {code, meaning, images, report}, each with ``cells``."""
    by_code: dict[str, dict[str, Any]] = {}
    for line in filter(None, text.split(",")):
        code, what, timing = ([*line.rsplit(maxsplit=2), "", ""])[:3]
        row = by_code.setdefault(
            code,
            {"code": "" if code == "?" else code, "images": cells(""), "report": cells("")},
        )
        if what in list(What):
            row[what] = cells(timing)
            # "0" is told from nothing: the report comes at signing, whatever counts for every study.
            row[what]["number"] = row[what]["number"] or ("0" if what == What.REPORT else "")
    for row in by_code.values():
        row["meaning"] = study_texts.modality(row["code"]) if row["code"] else ""
    return list(by_code.values())


def choices() -> list[tuple[str, str]]:
    """Modalities that a line can be made for, by what they mean."""
    return [(code, study_texts.modality(code)) for code in MEANINGS if code not in NOT_IMAGES]


def examples(rule: Rule, *, at: datetime) -> list[dict[str, str]]:
    """What patients would read of an examination made now: before its report is signed, and just after."""
    codes = dict.fromkeys([_EXAMPLE, *(line.modality for line in rule.by_modality)])
    named = [(code, study_texts.modality(code)) for code in codes] + [("", _("Every other examination"))]
    return [
        {
            "name": name,
            "before": _says(release(rule, modalities=code, stable_at=at, signed_at=None, at=at)),
            "after": _says(release(rule, modalities=code, stable_at=at, signed_at=at, at=at)),
        }
        for code, name in named
    ]


def _says(now: Release) -> str:
    images = release_texts.images(now.images) or _("The images can be seen now.")
    return f"{images} {release_texts.report(now.report) or _('The report can be read now.')}"
