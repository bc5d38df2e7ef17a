"""The clinic as its patients see it: name, address, phone, colour, logo, language, paper size."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.adapters import logo
from app.config import Settings
from app.domain.events import Event
from app.domain.modality import N_
from app.models import SiteSetting
from app.services import site_rows
from app.services.audit import Audit
from app.services.site_rows import Unusable as Unusable

PAPERS = ("A4", "Letter")
LANGUAGES = ("en", "es", "fr", "de", "pl", "pt")
# Patients' pages and paper speak more than letters and staff pages; their catalogues hold these texts alone.
PATIENT_LANGUAGES = (*LANGUAGES, "ar")
PAPER_LANGUAGES = (*PATIENT_LANGUAGES, "ja")
TEXTS = ("name", "address", "phone", "colour", "language", "paper")
MAX_TEXT = 500


@dataclass(frozen=True)
class SiteFacts:
    """What pages and paper say of the clinic. ``address`` may have several lines; ``logo`` is a PNG."""

    name: str
    address: str
    phone: str
    colour: str
    language: str
    paper: str
    logo: bytes | None = field(repr=False)

    @property
    def letters_language(self) -> str:
        """The language of paper, where letters and pages speak it too."""
        return self.language if self.language in LANGUAGES else "en"

    @property
    def logo_version(self) -> str:
        """Changes with the logo, so that a browser may keep it for long."""
        return hashlib.sha256(self.logo or b"").hexdigest()[:12]


_LOGO_REFUSED = {
    logo.Reason.TOO_LARGE_A_FILE: N_("The logo's file is too large: 5 MB at most."),
    logo.Reason.TOO_MANY_PIXELS: N_("The logo has too many pixels: 16 million at most."),
    logo.Reason.NOT_A_PICTURE: N_("The logo has to be a PNG, JPEG, GIF, WebP or BMP picture."),
    logo.Reason.NOTHING_TO_SEE: N_("The logo would not be seen on white paper."),
}


class Site:
    def __init__(self, session: Session, audit: Audit, settings: Settings) -> None:
        self._session = session
        self._audit = audit
        self._settings = settings

    def facts(self) -> SiteFacts:
        """The table's values over the settings' defaults."""
        return self._facts(site_rows.stored(self._session))

    def with_(self, texts: Mapping[str, str]) -> SiteFacts:
        """The facts as they would be with these texts, which ``checked`` gave."""
        return replace(self.facts(), **dict[str, Any](texts))

    def defaults(self) -> SiteFacts:
        """What is known without the database: for the page that says that it is away."""
        return self._facts({})

    def _facts(self, rows: Mapping[str, SiteSetting]) -> SiteFacts:
        texts = {
            "name": self._settings.clinic_name,
            "address": "",
            "phone": self._settings.clinic_phone,
            "colour": self._settings.brand_colour,
            "language": self._settings.default_language,
            "paper": "A4",
        } | {name: rows[name].text or "" for name in TEXTS if name in rows}
        return SiteFacts(**texts, logo=rows["logo"].image if "logo" in rows else None)

    def checked(self, changes: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Unusable]]:
        """The values as they would be kept, and by name what can't be. Raises KeyError for an unknown name."""
        values, problems = {}, {}
        for name, text in changes.items():
            try:
                values[name] = _checked(name, text)
            except Unusable as problem:
                problems[name] = problem
        return values, problems

    def set(self, name: str, text: str, *, at: datetime, actor: str) -> bool:
        """Set one text; whether it is another one now. Raises Unusable."""
        if name not in TEXTS:
            raise Unusable(N_("There is no site setting %(name)s."), name=name)
        text = _checked(name, text)
        before = str(getattr(self.facts(), name))
        if text == before:
            return False
        site_rows.keep(self._session, SiteSetting(name=name, text=text))
        self._note(name, before, text, at=at, actor=actor)
        return True

    def set_logo(self, image: bytes, *, at: datetime, actor: str) -> None:
        """Set the logo, scaled and without metadata. Raises Unusable."""
        try:
            checked = logo.prepare(image)
        except logo.LogoRefused as refused:
            raise Unusable(_LOGO_REFUSED[refused.reason]) from None
        before = self.facts()
        site_rows.keep(self._session, SiteSetting(name="logo", image=checked))
        self._note("logo", _version(before), _version(self.facts()), at=at, actor=actor)

    def remove_logo(self, *, at: datetime, actor: str) -> None:
        before = self.facts()
        if before.logo is not None:
            site_rows.drop(self._session, "logo")
            self._note("logo", _version(before), "", at=at, actor=actor)

    def _note(self, name: str, before: str, after: str, *, at: datetime, actor: str) -> None:
        self._audit.within(
            self._session, Event.SITE_CHANGED, at=at, actor=actor, setting=name, was=before, to=after
        )


def _checked(name: str, text: str) -> str:
    """The text as it is kept. Raises Unusable, KeyError for an unknown name."""
    if name not in TEXTS:
        raise KeyError(name)
    text = text.strip().replace("\r\n", "\n")
    if len(text) > MAX_TEXT:
        raise Unusable(N_("That is too long: %(number)s characters at most."), number=MAX_TEXT)
    if any(ord(sign) < 32 and sign != "\n" for sign in text) or ("\n" in text and name != "address"):
        raise Unusable(N_("There are signs in it that can't be printed."))
    if name in ("name", "phone") and not text:
        raise Unusable(N_("Patients need the clinic's name and phone."))
    if name == "colour" and not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise Unusable(N_("A colour is written like #0b5c8a."))
    if name == "language" and text not in PAPER_LANGUAGES:
        raise Unusable(N_("The languages are %(names)s."), names=", ".join(PAPER_LANGUAGES))
    if name == "paper" and text not in PAPERS:
        raise Unusable(N_("The paper sizes are %(names)s."), names=", ".join(PAPERS))
    return text


def _version(facts: SiteFacts) -> str:
    return facts.logo_version if facts.logo else ""
