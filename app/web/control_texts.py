"""The patient's control over a study in words: who opened it, to whom it was given on, what stands in the way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from app.domain.events import Event
from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.models import Grant
from app.services.giving_on import LONGEST_LABEL, MOST, Problem
from app.services.openings import Opening
from app.services.rules_of_study import Row
from app.web import i18n, tag_texts
from app.web.i18n import _
from app.web.landing_form import FieldError


def by_day(openings: Sequence[Opening], own: Collection[int]) -> list[dict[str, Any]]:
    """Openings as a page lists them: a day each, newest first. ``own``: ids of the reader's grants."""

    def day_of(opening: Opening) -> date:
        return i18n.local(opening.began_at).date()

    return [
        {
            "day": i18n.show_date(day),
            "openings": [
                {
                    "at": i18n.clock_time(one.began_at),
                    "who": who(one.grant, own, one.tag),
                    "label": one.grant.label if one.grant else "",
                    "is_own": one.grant is not None and one.grant.id in own,
                    "what": what(one),
                }
                for one in of_day
            ],
        }
        for day, of_day in groupby(openings, key=day_of)
    ]


def who(grant: Grant | None, own: Collection[int] = (), tag: str = "") -> str:
    """Who holds a grant, as its patient understands it; its label stands beside it. ``tag``: of a group, by which the
    study names it."""
    if grant is None:
        return _("Somebody at the clinic")
    if grant.kind == Kind.GROUP:
        return tag_texts.named_as(tag)
    if grant.id in own:
        return _("You, with your code") if grant.label else _("You, with the code of your sheet")
    if grant.parent_id is not None:
        return _("Somebody whom you let in") if grant.parent_id in own else _("Let in with another code")
    return {
        Kind.PATIENT: _("With another sheet of this patient"),
        Kind.PHYSICIAN: _("A physician with whom the clinic shared it"),
        Kind.DELEGATE: _("Somebody with whom the clinic shared it"),
        Kind.GUARDIAN: _("A parent or guardian"),
        Kind.LINK: _("Somebody with a link that the clinic made"),
    }[Kind(grant.kind)]


def what(opening: Opening) -> str:
    """What was done at one go."""
    words = {
        Event.VIEWER_OPENED: _("saw the images"),
        Event.LOOK_OPENED: _("saw the images in the light look"),
        Event.STAFF_VIEWED: _("saw the images"),
        Event.REPORT_READ: _("opened the report"),
        Event.REPORT_DOWNLOADED: _("downloaded the report"),
        Event.STUDY_DOWNLOADED: _("downloaded the images"),
    }
    said = list(dict.fromkeys(words[act] for act in opening.acts if act in words))
    return ", ".join(said) or _("came in with the code, and opened neither images nor report")


def allows(permissions: Permission) -> str:
    """What somebody may do, for a sentence."""
    return ", ".join(words for name, words in choices(permissions))


def choices(permissions: Permission) -> list[tuple[str, str]]:
    """(name of the field, words) of what may be given on."""
    words = {
        Permission.VIEW: ("view", _("see the images")),
        Permission.REPORT: ("report", _("read the report")),
        Permission.DOWNLOAD: ("download", _("download the images")),
    }
    return [words[one] for one in words if one in permissions]


def used(grant: Grant) -> str:
    """How often it was opened."""
    if grant.opened_at is None:
        return _("Not opened yet.")
    moment = i18n.show_moment(grant.opened_at)
    if grant.openings <= 1:
        return _("Opened once, on %(moment)s.", moment=moment)
    return _("Opened %(count)s times, last on %(moment)s.", count=grant.openings, moment=moment)


def until(grant: Grant) -> str:
    """Until when it opens."""
    if grant.expires_at is None:
        return _("Works until it is ended.")
    return _("Works until %(moment)s.", moment=i18n.show_moment(grant.expires_at))


def given(grant: Grant) -> dict[str, Any]:
    """What was given on, as a page lists it."""
    return {
        "ref": grant.ref,
        "label": grant.label,
        "allows": allows(Permission.from_names(grant.permissions)),
        "used": used(grant),
        "until": until(grant),
    }


def named(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Those whom the study names, by the names of the rules for them; who of a group it was, the clinic knows."""
    return [
        {
            "label": row.rule.name,
            "who": tag_texts.named_as(row.rule.tag),
            "allows": allows(row.permissions),
            "used": _used_by_rule(row),
        }
        for row in rows
    ]


def _used_by_rule(row: Row) -> str:
    if row.last_at is not None:
        return _("Opened last on %(moment)s.", moment=i18n.show_moment(row.last_at))
    if row.first_at is not None:
        return _("Opened on %(moment)s.", moment=i18n.show_moment(row.first_at))
    return _("Not opened yet.")


def error(problem: Problem) -> FieldError:
    """The message for a problem, and the field that it is about."""
    match problem:
        case Problem.NO_LABEL:
            return FieldError("label", _("Write for whom it is, like Dr Ludwig Moreno."))
        case Problem.LONG_LABEL:
            text = _("This is too long: %(most)s characters at most.", most=LONGEST_LABEL)
            return FieldError("label", text)
        case Problem.NO_PERMISSION:
            return FieldError("allowed", _("Choose at least one thing that they may do."))
        case Problem.NO_SUCH_LIFE:
            return FieldError("days-7", _("Choose how long it works."))
        case Problem.NOT_YOURS:
            return FieldError("label", _("Your access can't be given on."))
        case Problem.TOO_MANY:
            text = _("You have let in %(most)s people, which is the most. Take one back first.", most=MOST)
            return FieldError("given", text)
