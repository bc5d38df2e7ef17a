"""What is out and what comes when, in words: for patients, and shorter for staff."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_date, format_time, format_timedelta

from app.domain.release import Part, Release
from app.models import Study
from app.web import i18n
from app.web.context import services
from app.web.i18n import _


def for_patient(release: Release) -> dict[str, str]:
    """A sentence for each part that isn't out; empty for what is."""
    return {"images": images(release.images), "report": report(release.report)}


def images(part: Part) -> str:
    if part.is_out:
        return ""
    if part.is_held:
        return _("The clinic is keeping the images closed for now.")
    if part.from_ is not None:
        return _("The images can be seen from %(when)s.", when=_when(part.from_))
    if part.delay:
        return _(
            "The images can be seen %(delay)s after a physician has signed the report.",
            delay=_long(part.delay),
        )
    return _("The images can be seen once a physician has signed the report.")


def report(part: Part) -> str:
    if part.is_out:
        return ""
    if part.is_held:
        return _("The clinic is keeping the report closed for now.")
    if part.from_ is not None:
        return _("The report can be read from %(when)s.", when=_when(part.from_))
    if part.delay:
        return _("The report follows %(delay)s after a physician has signed it.", delay=_long(part.delay))
    return _("The report follows once a physician has signed it.")


def for_staff(study: Study, *, at: datetime) -> dict[str, Any]:
    """What a study's page says of its release, and what can be done about it."""
    now, rule = services().releases.of(study, at=at), services().releases.by_rule(study, at=at)
    is_by_hand = study.released_at is not None or study.held_at is not None
    is_wholly_out = now.images.is_out and (now.report.is_out or _comes_with_signature(now.report))
    return {
        "release": now,
        "release_says": _both(now),
        "rule_says": _both(rule) if is_by_hand else None,
        "can_release": study.released_at is None and not is_wholly_out,
        "can_hold": study.held_at is None,
    }


def _comes_with_signature(part: Part) -> bool:
    return part.waits_for_signature and not part.delay


def _both(release: Release) -> dict[str, str]:
    return {"images": _short(release.images), "report": _short(release.report)}


def _short(part: Part) -> str:
    if part.is_held:
        return _("held back")
    if part.from_ is not None:
        when = i18n.show_moment(part.from_)
        return _("since %(when)s", when=when) if part.is_out else _("from %(when)s", when=when)
    if part.delay:
        return _("%(delay)s after the report is signed", delay=_long(part.delay))
    return _("once the report is signed")


def _when(moment: datetime) -> str:
    """With the day of the week: somebody waits for it."""
    here = i18n.local(moment)
    day = format_date(here.date(), "full", locale=i18n.locale())
    return f"{day}, {format_time(here, 'short', tzinfo=here.tzinfo, locale=i18n.locale())}"


def _long(delay: timedelta) -> str:
    if delay % timedelta(days=1):
        return format_timedelta(delay, granularity="hour", threshold=10_000, locale=i18n.locale())
    return format_timedelta(delay, granularity="day", threshold=10_000, locale=i18n.locale())
