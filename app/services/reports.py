"""Reports: writing, signing, amending. A signed version never changes; an amendment is a new version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.models import Report, Staff, Study
from app.services.audit import Audit

MAX_TEXT = 100_000  # characters of findings, or impression


class Outcome(StrEnum):
    DONE = "done"
    CONFLICT = "conflict"  # somebody else saved or signed meanwhile; nothing was overwritten
    EMPTY = "empty"  # there is nothing to sign
    NO_REASON = "no-reason"  # an amendment says why
    TOO_LONG = "too-long"


@dataclass(frozen=True)
class Text:
    """What is typed into a report. ``reason`` is empty in the first version."""

    findings: str
    impression: str
    reason: str = ""

    def cleaned(self) -> Text:
        """Lines end alike and nothing invisible stays; what a person wrote is not touched otherwise."""
        return Text(*(_clean(part) for part in (self.findings, self.impression, self.reason)))


class Reports:
    """Works within the caller's transaction."""

    def __init__(self, session: Session, audit: Audit) -> None:
        self._session = session
        self._audit = audit

    def versions(self, study: Study) -> list[Report]:
        """All versions, newest first."""
        query = select(Report).where(Report.study_id == study.id).order_by(Report.version.desc())
        return list(self._session.scalars(query))

    def draft(self, study: Study) -> Report | None:
        return next((report for report in self.versions(study) if not report.is_signed), None)

    def signed(self, study: Study) -> Report | None:
        """The version that stands: the newest signed one."""
        return next((report for report in self.versions(study) if report.is_signed), None)

    def signed_among(self, study_ids: Sequence[int]) -> set[int]:
        """Which of these studies have a signed report."""
        query = select(Report.study_id).where(Report.study_id.in_(study_ids), Report.signed_at.is_not(None))
        return set(self._session.scalars(query))

    def writer(self, report: Report) -> str:
        """Who wrote this version last, by name."""
        return self._session.get_one(Staff, report.written_by_id).name

    def save(self, study: Study, text: Text, *, revision: int, by: Staff, at: datetime) -> Outcome:
        """Save the draft; the first save begins it (after a signed version: an amendment).

        ``revision``: the one that the writer saw, 0 where there was no draft. CONFLICT when it moved on.
        """
        text = text.cleaned()
        if max(len(text.findings), len(text.impression), len(text.reason)) > MAX_TEXT:
            return Outcome.TOO_LONG
        draft = self.draft(study)
        if draft is None:
            return self._begin(study, text, revision=revision, by=by, at=at)
        changed = self._session.execute(
            update(Report)
            .where(Report.id == draft.id, Report.revision == revision, Report.signed_at.is_(None))
            .values(
                findings=text.findings,
                impression=text.impression,
                reason=text.reason if draft.version > 1 else None,
                revision=Report.revision + 1,
                written_by_id=by.id,
                saved_at=at,
            )
            .returning(Report.id)
        )
        return Outcome.DONE if changed.first() is not None else Outcome.CONFLICT

    def _begin(self, study: Study, text: Text, *, revision: int, by: Staff, at: datetime) -> Outcome:
        if revision != 0:
            return Outcome.CONFLICT  # the draft that the writer saw was signed meanwhile
        before = self.signed(study)
        draft = Report(
            study_id=study.id,
            version=before.version + 1 if before else 1,
            findings=text.findings,
            impression=text.impression,
            reason=text.reason if before else None,
            written_by_id=by.id,
            saved_at=at,
        )
        try:
            with self._session.begin_nested():
                self._session.add(draft)
        except IntegrityError:
            return Outcome.CONFLICT
        return Outcome.DONE

    def sign(self, study: Study, text: Text, *, revision: int, by: Staff, at: datetime) -> Outcome:
        """Save and sign what is on the writer's screen."""
        text = text.cleaned()
        if not (text.findings or text.impression):
            return Outcome.EMPTY
        is_amendment = self.signed(study) is not None
        if is_amendment and not text.reason:
            return Outcome.NO_REASON
        saved = self.save(study, text, revision=revision, by=by, at=at)
        if saved is not Outcome.DONE:
            return saved
        draft = self.draft(study)
        assert draft is not None
        self._session.refresh(draft)
        draft.signed_at, draft.signed_by_id, draft.signed_name = at, by.id, by.name
        self._audit.within(
            self._session,
            Event.REPORT_AMENDED if is_amendment else Event.REPORT_SIGNED,
            at=at,
            actor=f"staff:{by.login}",
            study_id=study.id,
            version=draft.version,
        )
        return Outcome.DONE

    def note_reading(
        self, study: Study, report: Report, *, grant_id: int, address: str, at: datetime
    ) -> None:
        """A patient reads the report: on record before it is shown. Raises StoreUnavailable."""
        self._audit.record(
            Event.REPORT_READ,
            at=at,
            actor="holder",
            address=address,
            grant_id=grant_id,
            study_id=study.id,
            version=report.version,
        )


def _clean(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = ("".join(c for c in line if c == "\t" or ord(c) >= 32 and c != "\x7f") for line in lines)
    return "\n".join(line.rstrip() for line in kept).strip()
