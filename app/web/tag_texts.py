"""Rules for DICOM tags in words, for those who aren't staff: whom a study names, what a rule opens."""

from __future__ import annotations

import json

from babel.lists import format_list

from app.domain.dicom import parse_person_name
from app.domain.modality import N_
from app.domain.tag_match import How
from app.models import TagRule
from app.web import i18n
from app.web.i18n import _

LABELS = "Labels"
# By tag: what a rule opens. %(who)s: a value, or several joined.
_OPENS = {
    "ReferringPhysicianName": N_("Every study that names %(who)s as referring physician."),
    "PerformingPhysicianName": N_("Every study that names %(who)s as performing physician."),
    "NameOfPhysiciansReadingStudy": N_("Every study that names %(who)s as reading physician."),
    "RequestingPhysician": N_("Every study that names %(who)s as requesting physician."),
    "InstitutionName": N_("Every study made at %(who)s."),
    "InstitutionalDepartmentName": N_("Every study of the department %(who)s."),
    "ResponsibleOrganization": N_("Every study for which %(who)s is the responsible organization."),
    LABELS: N_("Every study that has the label %(who)s in the archive."),
}
# By tag: why somebody may open a study, for its patient.
_NAMED = {
    "ReferringPhysicianName": N_("Named in the images as referring physician"),
    "PerformingPhysicianName": N_("Named in the images as performing physician"),
    "NameOfPhysiciansReadingStudy": N_("Named in the images as reading physician"),
    "RequestingPhysician": N_("Named in the images as requesting physician"),
    "InstitutionName": N_("Of the place where the images were made"),
    "InstitutionalDepartmentName": N_("Of the department that the images name"),
    "ResponsibleOrganization": N_("Of the organization that is responsible for the images"),
    LABELS: N_("By a label that the clinic gave the images"),
}


def opens(rule: TagRule) -> str:
    """A sentence: which studies a rule opens."""
    who = format_list(values(rule), style="or", locale=i18n.locale())
    if rule.tag in _OPENS:
        said = _(_OPENS[rule.tag], who=who)
    else:
        said = _("Every study whose tag %(tag)s is %(who)s.", tag=f"“{rule.tag}”", who=who)
    if rule.back_days is None:
        return said
    return said + " " + _("From the last %(days)s days.", days=rule.back_days)


def values(rule: TagRule) -> list[str]:
    """What a rule asks for, as people write it: names of people, not "Moreno^Ludwig"."""
    wanted: list[str] = json.loads(rule.wanted)
    # A caret parts names of people (PS3.5 section 6.2.1), however the rule compares them.
    is_name = rule.how == How.NAME
    return [parse_person_name(one).shown if is_name or "^" in one else one for one in wanted]


def named_as(keyword: str) -> str:
    """Why a rule for that tag opens a study, as its patient understands it."""
    return _(_NAMED[keyword]) if keyword in _NAMED else _("Named in the images")
