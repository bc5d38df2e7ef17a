"""The audit trail in words: groups of events to choose from, who did it, what a verification found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.dicom import parse_person_name
from app.domain.events import Event
from app.domain.modality import N_
from app.services.audit_search import OTHERS, Entry
from app.services.audit_verification import SENTENCES, Finding
from app.web.event_texts import OPENINGS, actor_text, event_text
from app.web.i18n import _

# In the order of the list: a label, and events beside those of its subjects. An event may stand in several groups.
_GROUPS: dict[str, tuple[str, frozenset[Event]]] = {
    "openings": (N_("Openings of studies"), OPENINGS | {Event.STAFF_VIEWED, Event.STAFF_EXPLORED}),
    "visits": (N_("Tries with a code, visits"), frozenset({Event.GRANT_PROVED, Event.GRANT_REFUSED})),
    "grants": (N_("Access: issued, extended, revoked, …"), frozenset()),
    "paper": (
        N_("Printing and sharing"),
        frozenset({Event.REPORT_PRINTED, Event.GRANT_MAILED, Event.GRANT_SHOWN}),
    ),
    "reports": (N_("Reports"), frozenset()),
    "people": (N_("People and accounts"), frozenset()),
    "studies": (N_("Studies in the archive"), frozenset()),
    "site": (N_("Settings, keys, backups, audit"), frozenset()),
    "alarms": (N_("Alarms and limits"), frozenset()),
}
# By what stands before the colon of an event's name; everything else is of the site.
_SUBJECTS = {
    "visit": "visits",
    "viewer": "visits",
    "look": "visits",
    "grant": "grants",
    "sheet": "paper",
    "report": "reports",
    "staff": "people",
    "study": "studies",
    "attack": "alarms",
    "archive": "alarms",
    "limits": "alarms",
}
_EVENTS = {
    name: given | {event for event in Event if _SUBJECTS.get(event.partition(":")[0], "site") == name}
    for name, (_label, given) in _GROUPS.items()
}


def groups() -> list[tuple[str, str]]:
    return [(name, _(label)) for name, (label, _given) in _GROUPS.items()]


def kinds() -> list[tuple[str, str]]:
    """Each single event with its sentence, in the order of the sentences."""
    return sorted(
        ((event.value, event_text(event, {}).rstrip(".")) for event in Event), key=lambda one: one[1]
    )


def events_of(what: str) -> frozenset[str] | None:
    """The events of a group, or one by its name; none for "" (all), None for what there isn't."""
    if not what:
        return frozenset()
    if what in _EVENTS:
        return frozenset(event.value for event in _EVENTS[what])
    return frozenset({what}) if what in list(Event) else None


def others() -> list[tuple[str, str]]:
    """Who isn't a person with an account, as the trail names them and in words."""
    return [(name, actor_text(name, {})) for name in OTHERS]


def actor(name: str, people: Mapping[str, str]) -> str:
    return actor_text(name, people)


def finding(found: Finding) -> str:
    """What is wrong, in the reader's language."""
    return _(SENTENCES[found.fault], **asdict(found))


def row(entry: Entry, people: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """A row as the page shows it; times to the second, in the clinic's zone."""
    local = entry.at.astimezone(zone)
    return {
        "number": entry.row_id,
        "iso": entry.at.isoformat(timespec="seconds"),
        "day": local.strftime("%Y-%m-%d"),
        "time": local.strftime("%H:%M:%S"),
        "text": event_text(entry.event, entry.details),
        "actor": entry.actor,
        "who": actor_text(entry.actor, people),
        "address": entry.address or "",
        "grant": entry.grant,
        "study_id": entry.study_id,
        "patient": parse_person_name(entry.patient_name or "").shown,
    }
