"""The clinic as its patients see it: name, address, phone, colour, logo, language, paper size."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters import logo
from app.config import Settings
from app.domain.events import Event
from app.models import SiteSetting
from app.services.audit import Audit

PAPERS = ("A4", "Letter")
LANGUAGES = ("en", "es", "fr", "de", "pl", "pt")
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
    def logo_version(self) -> str:
        """Changes with the logo, so that a browser may keep it for long."""
        return hashlib.sha256(self.logo or b"").hexdigest()[:12]


_LOGO_REFUSED = {
    logo.Reason.TOO_LARGE_A_FILE: "The logo's file is too large: 5 MB at most.",
    logo.Reason.TOO_MANY_PIXELS: "The logo has too many pixels: 16 million at most.",
    logo.Reason.NOT_A_PICTURE: "The logo has to be a PNG, JPEG, GIF, WebP or BMP picture.",
    logo.Reason.NOTHING_TO_SEE: "The logo would not be seen on white paper.",
}


class Unusable(ValueError):
    """A value that can't be used; the message is a sentence for whoever set it."""


class Site:
    def __init__(self, session: Session, audit: Audit, settings: Settings) -> None:
        self._session = session
        self._audit = audit
        self._settings = settings

    def facts(self) -> SiteFacts:
        """The table's values over the settings' defaults."""
        return self._facts({row.name: row for row in self._session.scalars(select(SiteSetting))})

    def defaults(self) -> SiteFacts:
        """What is known without the database: for the page that says that it is away."""
        return self._facts({})

    def _facts(self, rows: dict[str, SiteSetting]) -> SiteFacts:
        texts = {
            "name": self._settings.clinic_name,
            "address": "",
            "phone": self._settings.clinic_phone,
            "colour": self._settings.brand_colour,
            "language": self._settings.default_language,
            "paper": "A4",
        } | {name: row.text for name, row in rows.items() if row.text is not None}
        return SiteFacts(**texts, logo=rows["logo"].image if "logo" in rows else None)

    def set(self, name: str, text: str, *, at: datetime, actor: str) -> None:
        """Set one text. Raises Unusable."""
        text = text.strip()
        if name not in {one.name for one in fields(SiteFacts)} - {"logo"}:
            raise Unusable(f"There is no site setting {name}.")
        if len(text) > MAX_TEXT:
            raise Unusable(f"That is too long: {MAX_TEXT} characters at most.")
        if name in ("name", "phone") and not text:
            raise Unusable("Patients need the clinic's name and phone.")
        if name == "colour" and not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
            raise Unusable("A colour is written like #0b5c8a.")
        if name == "language" and text not in LANGUAGES:
            raise Unusable(f"The languages are {', '.join(LANGUAGES)}.")
        if name == "paper" and text not in PAPERS:
            raise Unusable(f"The paper sizes are {', '.join(PAPERS)}.")
        self._keep(SiteSetting(name=name, text=text), at=at, actor=actor)

    def set_logo(self, image: bytes, *, at: datetime, actor: str) -> None:
        """Set the logo, scaled and without metadata. Raises Unusable."""
        try:
            checked = logo.prepare(image)
        except logo.LogoRefused as refused:
            raise Unusable(_LOGO_REFUSED[refused.reason]) from None
        self._keep(SiteSetting(name="logo", image=checked), at=at, actor=actor)

    def _keep(self, row: SiteSetting, *, at: datetime, actor: str) -> None:
        self._session.merge(row)
        self._audit.within(self._session, Event.SITE_CHANGED, at=at, actor=actor, setting=row.name)
