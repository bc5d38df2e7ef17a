"""A grant in words for staff: for whom, what it allows, which proof it asks for, until when, what stands against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from babel.dates import format_timedelta

from app.domain.dicom import parse_person_name
from app.domain.grants import THROTTLE, Kind, Policy, Standing
from app.domain.permissions import Permission
from app.domain.share_links import INSTANT, LinkType
from app.domain.viewers import VIEWERS
from app.models import Grant, Study
from app.services.rules import Rules
from app.web import event_texts, i18n, share_texts
from app.web.i18n import _


@dataclass(frozen=True)
class Described:
    """What the pages say of a grant; ``mark`` is a kind of pill (staff/parts.html)."""

    ref: str
    whom: str  # "Ana Moreno", "Dr Ludwig Moreno"
    kind: str
    is_patients: bool
    mark: str
    standing: str
    allows: str
    asks: str
    until: str
    issued: str
    used: str
    paper: str
    held_up: str  # failed tries and what they mean; empty: none
    is_live: bool  # neither revoked nor ended
    is_revoked: bool
    is_suspended: bool
    has_failures: bool
    has_code: bool  # still sealed: it can be shown
    way: str  # of a link made in Orthanc, where it leads; empty: no such link
    is_straight: bool  # whoever has the link that was handed on sees the images
    studies: Sequence[tuple[Study, str]]  # with the names of their patients


def describe(
    grant: Grant, *, at: datetime, names: Mapping[str, str], straight: LinkType | None = None
) -> Described:
    """``names``: of the staff by login, for who issued it. ``straight``: of a link that asks nothing, its type."""
    standing = grant.standing(at)
    mark, word = _standing(standing)
    return Described(
        ref=grant.ref,
        whom=whom(grant),
        kind=share_texts.kind(grant.kind),
        is_patients=grant.kind == Kind.PATIENT,
        mark=mark,
        standing=word,
        allows=allows(grant),
        asks=_("the link alone") if straight else asks(grant),
        until=_until(grant, standing),
        issued=_issued(grant, names),
        used=_("not counted: nobody is asked who it is") if straight else _used(grant),
        paper=_paper(grant),
        held_up=held_up(grant, at=at) if standing is not Standing.REVOKED else "",
        is_live=standing not in (Standing.REVOKED, Standing.EXPIRED),
        is_revoked=standing is Standing.REVOKED,
        is_suspended=standing is Standing.SUSPENDED,
        has_failures=grant.failures > 0 or grant.is_locked,
        has_code=grant.sealed_until is not None and at < grant.sealed_until and grant.revoked_at is None,
        way=way(grant, straight),
        is_straight=straight is not None and straight not in INSTANT,
        studies=[(study, parse_person_name(study.patient_name).shown) for study in grant.studies],
    )


def way(grant: Grant, straight: LinkType | None) -> str:
    """Where a link made in Orthanc leads. Empty for any other grant."""
    if grant.kind != Kind.LINK:
        return ""
    if straight is None:
        return _("to Studykey's page, which asks for the rest")
    if straight is LinkType.VIEW_NOW:
        return _("somebody's own click in Orthanc Explorer, to look; no longer than an hour")
    if straight is LinkType.DOWNLOAD_NOW:
        return _("somebody's own click in Orthanc Explorer, to download; no longer than an hour")
    return _("straight to the images in %(viewer)s", viewer=VIEWERS[str(straight.viewer)].label)


def whom(grant: Grant) -> str:
    """Who holds it, by name."""
    if grant.label:
        return grant.label
    if grant.kind == Kind.LINK:
        return _("whoever has the link")
    people = dict.fromkeys(parse_person_name(study.patient_name).shown for study in grant.studies)
    return ", ".join(name or _("the patient") for name in people)


def allows(grant: Grant) -> str:
    permissions = Permission.from_names(grant.permissions)
    words = {
        Permission.VIEW: _("images"),
        Permission.REPORT: _("report"),
        Permission.DOWNLOAD: _("download"),
    }
    return ", ".join(word for permission, word in words.items() if permission in permissions) or _("nothing")


def asks(grant: Grant) -> str:
    if grant.kind == Kind.LINK:
        return {
            Policy.BIRTH_DATE: _("the link and the birth date"),
            Policy.BIRTH_DATE_AND_PASSWORD: _("the link, the birth date and the password"),
            Policy.PASSWORD: _("the link and the password"),
        }[Policy(grant.policy)]
    return {
        Policy.BIRTH_DATE: _("code and birth date"),
        Policy.BIRTH_DATE_AND_PASSWORD: _("code, birth date and password"),
        Policy.PASSWORD: _("code and password"),
    }[Policy(grant.policy)]


def held_up(grant: Grant, *, at: datetime) -> str:
    """Failed tries in a row, and whether the next one has to wait or is compared at all."""
    if grant.is_locked:
        in_a_row = grant.failures >= THROTTLE.locks_at(Policy(grant.policy))
        count = grant.failures if in_a_row else grant.failures_in_life
        return _("Locked after %(count)s failed tries: nothing opens with this code.", count=count)
    if not grant.failures:
        return ""
    if grant.next_try_at is not None and grant.next_try_at > at:
        return _(
            "Failed tries in a row: %(count)s. The next one is welcome in %(wait)s.",
            count=grant.failures,
            wait=_span(grant.next_try_at - at),
        )
    return _("Failed tries in a row: %(count)s. The next one is welcome now.", count=grant.failures)


def extensions(grant: Grant, rules: Rules, *, at: datetime) -> list[tuple[str, str]]:
    """(value, words) of the clinic's durations with which the grant would end later than it does."""
    if grant.revoked_at is not None or grant.expires_at is None or not grant.pepper_kid:
        return []
    found = [
        (
            str(days),
            _("until %(date)s (%(days)s days from now)", date=_day(at + timedelta(days=days)), days=days),
        )
        for days in rules.share_days
        if at + timedelta(days=days) > grant.expires_at
    ]
    return found + ([("revoked", _("until it is revoked"))] if rules.share_until_revoked else [])


def what_ends(grant: Grant) -> str:
    """What revoking does, and to whom."""
    if grant.kind == Kind.LINK:
        return _("The link stops working, whoever has it.")
    name = whom(grant)
    if grant.label:
        return _("The code that %(name)s holds stops working.", name=name)
    return _("The sheet that %(name)s holds stops working.", name=name)


def _standing(standing: Standing) -> tuple[str, str]:
    return {
        Standing.OPEN: ("issued", _("works")),
        Standing.NOT_YET_RELEASED: ("missing", _("not open yet")),
        Standing.EXPIRED: ("gone", _("ended")),
        Standing.REVOKED: ("gone", _("revoked")),
        Standing.SUSPENDED: ("suspended", _("suspended")),
    }[standing]


def _until(grant: Grant, standing: Standing) -> str:
    if grant.revoked_at is not None:
        return _("revoked %(moment)s", moment=i18n.show_moment(grant.revoked_at))
    if grant.expires_at is None:
        return _("until it is revoked")
    if standing is Standing.EXPIRED:
        return _("ended %(date)s", date=_day(grant.expires_at))
    return _("until %(date)s", date=_day(grant.expires_at))


def _issued(grant: Grant, names: Mapping[str, str]) -> str:
    moment = i18n.show_moment(grant.issued_at)
    if not grant.issued_by:
        return moment
    return _("%(moment)s by %(name)s", moment=moment, name=event_texts.actor_text(grant.issued_by, names))


def _used(grant: Grant) -> str:
    if grant.opened_at is None:
        return _("not yet")
    moment = i18n.show_moment(grant.opened_at)
    if grant.openings <= 1:
        return _("once, %(moment)s", moment=moment)
    return _("%(count)s times, last %(moment)s", count=grant.openings, moment=moment)


def _paper(grant: Grant) -> str:
    said = []
    if grant.printed_at is not None:
        said.append(_("printed %(moment)s", moment=i18n.show_moment(grant.printed_at)))
    if grant.mailed_at is not None:
        said.append(_("mailed %(moment)s", moment=i18n.show_moment(grant.mailed_at)))
    unsaid = _("handed on from Orthanc") if grant.kind == Kind.LINK else _("neither printed nor mailed")
    return "; ".join(said) or unsaid


def _day(moment: datetime) -> str:
    return i18n.short_date(i18n.local(moment).date())


def _span(wait: timedelta) -> str:
    seconds = max(wait.total_seconds(), 1)
    return format_timedelta(
        timedelta(seconds=seconds), granularity="second", threshold=1, locale=i18n.locale()
    )
