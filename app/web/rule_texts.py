"""Rules for DICOM tags in words: which tag, how it is compared, what a preview warns of."""

from __future__ import annotations

from collections.abc import Sequence

from babel.numbers import format_decimal

from app.domain.dicom import parse_person_name
from app.domain.other_tags import LABELS
from app.domain.permissions import Permission
from app.domain.tag_match import How
from app.services.rule_list import MOST_COUNTED, Row
from app.services.rule_preview import Preview
from app.services.tag_keys import NAMES, PLACES, Wanted
from app.web import i18n
from app.web.i18n import _

MANY = 1_000  # studies: a rule that opens so many may be meant more narrowly
_SIGNS = "*?%_[]"  # wildcards of other programs


def tag(keyword: str) -> str:
    """What a tag holds, with its name in DICOM."""
    told = {
        "ReferringPhysicianName": _("Referring physician"),
        "PerformingPhysicianName": _("Physician who performed the examination"),
        "NameOfPhysiciansReadingStudy": _("Physicians who read the study"),
        "InstitutionName": _("Institution"),
        "ResponsibleOrganization": _("Responsible organization"),
        "RequestingPhysician": _("Requesting physician"),
        "InstitutionalDepartmentName": _("Department"),
        LABELS: _("Label in the archive"),
    }.get(keyword)
    return told or _("DICOM tag %(keyword)s", keyword=keyword)


def tags(others: Sequence[str]) -> list[tuple[str, str]]:
    """(keyword, words) of the tags that can be chosen: the five, what else some study has, labels."""
    known = [*NAMES, *PLACES, *(one for one in others if one != LABELS), LABELS]
    return [(keyword, _with_keyword(keyword)) for keyword in known]


def _with_keyword(keyword: str) -> str:
    words = tag(keyword)
    return words if keyword in words or keyword == LABELS else f"{words} ({keyword})"


def how(wanted: Wanted) -> str:
    if wanted.how is How.EXACT:
        return _("exactly as written")
    if wanted.how is How.NAME:
        return _("in all spellings: case, accents, titles and the order of names don't count")
    return _("in all spellings: case, accents and punctuation don't count")


def allows(permissions: Permission) -> str:
    words = {
        Permission.VIEW: _("images"),
        Permission.REPORT: _("report"),
        Permission.DOWNLOAD: _("download"),
    }
    return ", ".join(word for permission, word in words.items() if permission in permissions)


def back(days: int | None) -> str:
    return (
        _("all studies, however old") if days is None else _("studies of the last %(days)s days", days=days)
    )


def count(row: Row) -> str:
    """How many studies it opens."""
    if row.count > MOST_COUNTED:
        return _("more than %(count)s", count=number(MOST_COUNTED))
    return number(row.count)


def warnings(wanted: Wanted, preview: Preview) -> list[str]:
    """What somebody should think about before saving."""
    said = []
    if not preview.count:
        said.append(_("It matches no study at present. Studies that arrive later can match."))
    if preview.count > MANY:
        said.append(
            _(
                "It matches very many studies: %(count)s. Everybody in the group can open each of them.",
                count=number(preview.count),
            )
        )
    if any(sign in value for value in wanted.values for sign in _SIGNS):
        said.append(_("Signs like * and ? have no special meaning here: they don't stand for other letters."))
    if preview.is_filling:
        said.append(_("Studykey is still reading the tags of older studies: there may be more."))
    return said


def for_whom(value: str, how: How) -> str:
    """Whom a value names, as people write it: a name for the rule until somebody writes another."""
    return parse_person_name(value).shown if how is How.NAME or "^" in value else value


def number(count: int) -> str:
    return format_decimal(count, locale=i18n.locale())
