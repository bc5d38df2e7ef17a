"""What reports begin with: headings and first words, for a modality or for all, in a language.

The template without a name is the one that a new report of its modality begins with; named ones are chosen. The one
for all without a name is the clinic's: its headings also stand where another of the same language has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.formatting import tidied
from app.domain.modality import N_
from app.domain.report import Section
from app.models import ReportTemplate, Study
from app.services.audit import Audit
from app.services.site import PAPER_LANGUAGES
from app.services.site_rows import Unusable as Unusable

LONGEST_NAME, LONGEST_HEADING, LONGEST_TEXT = 80, 80, 10_000
MOST = 200
HEADINGS = {section: f"{section}_heading" for section in Section}
FIELDS = ("modality", "name", "language", *HEADINGS.values(), *Section)


class ReportTemplates:
    """Works within the caller's transaction."""

    def __init__(self, session: Session, audit: Audit) -> None:
        self._session = session
        self._audit = audit

    def all(self) -> list[ReportTemplate]:
        """The clinic's first, then by modality and name, those without a name first."""
        query = select(ReportTemplate).order_by(ReportTemplate.modality, ReportTemplate.name)
        return list(self._session.scalars(query))

    def offered(self, study: Study) -> list[ReportTemplate]:
        """Those that fit a study: of its modalities, then those for all.

        Those without a name come first of all, so the first is what a new report begins with, if it has none.
        """
        rank = {
            code: place for place, code in enumerate(code for code in study.modalities.split("\\") if code)
        }
        rank[""] = len(rank)
        fitting = (template for template in self.all() if template.modality in rank)
        return sorted(fitting, key=lambda one: (one.name != "", rank[one.modality], one.name))

    def default(self, study: Study) -> ReportTemplate | None:
        """What a new report of this study begins with. None: with nothing."""
        return next((template for template in self.offered(study) if not template.name), None)

    def headings(self, template: ReportTemplate | None) -> dict[str, str]:
        """Headings by section for a report that begins with ``template``; "" where the language's own stands."""
        clinic = self._clinic()
        if clinic is not None and template is not None and clinic.language != template.language:
            clinic = None
        return {
            section.value: next(
                (text for one in (template, clinic) if one is not None and (text := getattr(one, name))), ""
            )
            for section, name in HEADINGS.items()
        }

    def get(self, template_id: int) -> ReportTemplate | None:
        return self._session.get(ReportTemplate, template_id)

    def checked(
        self, typed: Mapping[str, str], *, template: ReportTemplate | None = None
    ) -> tuple[dict[str, str], dict[str, Unusable]]:
        """The values as they would be kept, and by name what can't be; ``template`` is the one that is changed."""
        values: dict[str, str] = {}
        problems: dict[str, Unusable] = {}
        for name in FIELDS:
            try:
                values[name] = _checked(name, typed.get(name, ""))
            except Unusable as problem:
                problems[name] = problem
        if {"modality", "name"} <= values.keys() and self._is_taken(values, template):
            problems["name"] = Unusable(
                N_("There is another template of this name for this modality: choose another name.")
                if values["name"]
                else N_("A template without a name is there already for this modality: give this one a name.")
            )
        elif template is None and len(self.all()) >= MOST:
            problems["name"] = Unusable(N_("There are %(count)s templates, which is the most."), count=MOST)
        return values, problems

    def keep(
        self,
        typed: Mapping[str, str],
        *,
        at: datetime,
        actor: str,
        template: ReportTemplate | None = None,
    ) -> ReportTemplate:
        """A new template, or ``template`` changed. Reports that were begun keep theirs. Raises Unusable."""
        values, problems = self.checked(typed, template=template)
        if problems:
            raise next(iter(problems.values()))
        kept = template or ReportTemplate()
        before = {name: getattr(kept, name) or "" for name in FIELDS} if template else {}
        changed = [name for name in FIELDS if before.get(name, "") != values[name]]
        for name in FIELDS:
            setattr(kept, name, values[name])
        self._session.add(kept)
        self._session.flush()
        if changed or template is None:
            self._note(kept, "changed" if template else "added", ",".join(changed), at=at, actor=actor)
        return kept

    def delete(self, template: ReportTemplate, *, at: datetime, actor: str) -> None:
        """Reports that were begun with it keep their headings and text."""
        self._note(template, "deleted", "", at=at, actor=actor)
        self._session.delete(template)
        self._session.flush()

    def _clinic(self) -> ReportTemplate | None:
        query = select(ReportTemplate).where(ReportTemplate.modality == "", ReportTemplate.name == "")
        return self._session.scalars(query).one_or_none()

    def _is_taken(self, values: Mapping[str, str], template: ReportTemplate | None) -> bool:
        query = select(ReportTemplate.id).where(
            ReportTemplate.modality == values["modality"], ReportTemplate.name == values["name"]
        )
        found = self._session.scalar(query)
        return found is not None and (template is None or found != template.id)

    def _note(self, template: ReportTemplate, what: str, changed: str, *, at: datetime, actor: str) -> None:
        more: dict[str, Any] = {"changed": changed} if changed else {}
        parts = ("report template", template.modality, template.name)
        self._audit.within(
            self._session,
            Event.SITE_CHANGED,
            at=at,
            actor=actor,
            setting=" ".join(part for part in parts if part),
            what=what,
            **more,
        )


def _checked(name: str, text: str) -> str:
    """The text as it is kept. Raises Unusable."""
    if name == "modality":
        return _modality(text)
    is_line = name not in list(Section)
    text = tidied(text).strip() if is_line else tidied(text)
    if name == "language" and text and text not in PAPER_LANGUAGES:
        raise Unusable(N_("The languages are %(names)s."), names=", ".join(PAPER_LANGUAGES))
    most = {"name": LONGEST_NAME}.get(name, LONGEST_HEADING if is_line else LONGEST_TEXT)
    if len(text) > most:
        raise Unusable(N_("That is too long: %(number)s characters at most."), number=most)
    if is_line and ("\n" in text or "\t" in text):
        raise Unusable(N_("That has to be one line."))
    return text


def _modality(text: str) -> str:
    """A code string (PS3.5 section 6.2, VR CS: at most 16 of A-Z, 0-9, space, underscore), or "" for all."""
    code = text.strip().upper()
    if code and (len(code) > 16 or not (code.isascii() and code.replace("_", "").replace(" ", "").isalnum())):
        raise Unusable(N_("A modality is written like CT or MR, not %(name)s."), name=text[:20])
    return code
