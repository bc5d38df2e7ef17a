"""What the list of studies is narrowed to, as its address says it.

State, modality and day are plain parameters, so that a bookmark keeps them. What was typed is mostly a patient's name:
it stands in the address only sealed (``web.sealed``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from werkzeug.datastructures import MultiDict

from app.domain.modality import MEANINGS
from app.services.study_search import State, Wanted
from app.web import i18n
from app.web.context import services
from app.web.i18n import _
from app.web.sealed import seal, typed, unseal

# Days back from today: the first and the last.
DAYS = {"today": (0, 0), "yesterday": (1, 1), "week": (6, 0)}


@dataclass(frozen=True)
class Query:
    """``text`` as typed; the others are keys of the choices, or empty."""

    text: str = ""
    state: str = ""
    modality: str = ""
    day: str = ""

    def __bool__(self) -> bool:
        return self != Query()

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            text=self.text,
            state=State(self.state) if self.state else None,
            modality=self.modality,
            days=_days(self.day) if self.day else None,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """For ``url_for``."""
        parameters = {"q": seal(self.text), "state": self.state, "modality": self.modality, "day": self.day}
        return {name: value for name, value in parameters.items() if value}


def from_address(arguments: MultiDict[str, str]) -> Query:
    """What an address asks for; what it can't mean is left out."""
    return _known(unseal(arguments.get("q", "")), arguments)


def from_form(form: MultiDict[str, str]) -> Query:
    return _known(typed(form.get("q", "")), form)


def _known(text: str, given: MultiDict[str, str]) -> Query:
    state, modality, day = (given.get(name, "") for name in ("state", "modality", "day"))
    return Query(
        text=text,
        state=state if state in list(State) else "",
        modality=modality if modality in MEANINGS else "",
        day=day if day in DAYS else "",
    )


def _days(key: str) -> tuple[date, date]:
    today = i18n.local(services().clock()).date()
    first, last = DAYS[key]
    return today - timedelta(days=first), today - timedelta(days=last)


def states() -> list[tuple[str, str]]:
    """Choices: (key, in words)."""
    words = {
        State.NO_REPORT: _("No report"),
        State.DRAFT: _("Draft report"),
        State.SIGNED: _("Signed report"),
        State.NOT_PRINTED: _("Code not printed"),
        State.OPENED: _("Opened by the patient"),
        State.EXPIRING: _("Ends within 7 days"),
        State.SUSPENDED: _("Suspended"),
        State.NO_BIRTH_DATE: _("No usable birth date"),
    }
    return [(state.value, words[state]) for state in State]


def days() -> list[tuple[str, str]]:
    return [("today", _("Today")), ("yesterday", _("Yesterday")), ("week", _("Last 7 days"))]


def modalities() -> list[tuple[str, str]]:
    """Codes with their meanings, as many devices' users know both."""
    return [(code, f"{code} · {_(meaning)}") for code, meaning in MEANINGS.items()]
