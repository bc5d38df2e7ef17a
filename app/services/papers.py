"""Paper: the sheet and the printed report, with the access block that opens the study.

Within the reprint window a print shows the same code and password again. After it, printing re-issues: the
old sheet dies with the print of the new one, and whoever prints has said yes to that first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.adapters.pdf_files import PdfFiles
from app.config import Settings
from app.domain.events import Event
from app.domain.grants import Kind, Standing
from app.domain.report import Copy
from app.models import Grant, Report, Study
from app.services.audit import Audit
from app.services.grants import Grants, Paper
from app.services.paper_contexts import GlyphsMissing as GlyphsMissing
from app.services.paper_press import PaperPress, file_name
from app.services.paper_wishes import Document as Document
from app.services.paper_wishes import Effect as Effect
from app.services.paper_wishes import PrintRefused as PrintRefused
from app.services.paper_wishes import Wish as Wish
from app.services.report_copies import ReportCopies
from app.services.site import Site, SiteFacts

# Whose sheets speak to the patient, or to whoever acts for the patient.
OF_PATIENTS = (Kind.PATIENT, Kind.GUARDIAN)


class Papers:
    """Works within the caller's transaction: a print that fails leaves the old sheet as it was. Hashes and renders
    first, writes after: neither may hold a write lock."""

    def __init__(
        self,
        session: Session,
        grants: Grants,
        site: Site,
        templates: PaperTemplates,
        renderer: Renderer,
        pdf_files: PdfFiles,
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._session = session
        self._grants = grants
        self._audit = audit
        self._press = PaperPress(session, site, templates, renderer, pdf_files, settings)
        self._copies = ReportCopies(session)

    def effect(self, study: Study, *, at: datetime) -> Effect:
        """What printing this study's paper would do now."""
        grant = self._grants.current(study)
        if grant is None:
            return Effect.ISSUES
        if grant.suspended_at is not None:
            return Effect.REFUSED
        if grant.standing(at) is Standing.EXPIRED or self._grants.paper(grant, at=at) is None:
            return Effect.REISSUES
        return Effect.SAME

    def sheet(self, study: Study, wish: Wish, *, at: datetime, actor: str) -> Document:
        """The access sheet, or the label that was wished for.

        Raises PrintRefused, GlyphsMissing, Busy, and what rendering raises.
        """
        if wish.label:
            return self.sheets([study], wish, at=at, actor=actor)
        before = self._grants.current(study)
        paper, is_fresh = self._paper(study, before, wish, at=at)
        document = self._press.sheet(study, paper, wish, at=at)
        self._keep(study, paper, before, is_fresh=is_fresh, event=Event.SHEET_PRINTED, at=at, actor=actor)
        return document

    def sheet_of(self, grant: Grant, wish: Wish, *, at: datetime, actor: str) -> Document | None:
        """The sheet of a patient's or guardian's grant as it stands, which lists what it opens. None where there is
        none to print: code and password can't be shown any more, or it opens nothing now, or was given to others.

        Raises GlyphsMissing and what rendering raises.
        """
        paper = self._grants.paper(grant, at=at)
        is_open = grant.standing(at) in (Standing.OPEN, Standing.NOT_YET_RELEASED)
        if paper is None or not is_open or grant.kind not in OF_PATIENTS or not grant.studies:
            return None
        newest = max(grant.studies, key=lambda study: (study.study_date or date.min, study.id))
        document = self._press.sheet(newest, paper, wish, at=at)
        for study in grant.studies:
            self._keep(study, paper, None, is_fresh=False, event=Event.SHEET_PRINTED, at=at, actor=actor)
        return document

    def missing(self, study: Study, wish: Wish) -> list[str]:
        """The characters of a study's sheet that no font has."""
        try:
            self._press.check(study, wish)
        except GlyphsMissing as missing:
            return missing.characters
        return []

    def sheets(self, studies: Sequence[Study], wish: Wish, *, at: datetime, actor: str) -> Document:
        """Their access sheets, or labels, in one file, each on a page of its own, in this order; all or none.

        Raises as ``sheet`` does.
        """
        before = [self._grants.current(study) for study in studies]
        prepared: list[tuple[Paper, bool]] = []
        fresh: dict[str, Paper] = {}
        for study, grant in zip(studies, before, strict=True):
            if grant is not None and grant.ref in fresh:  # one code opens several of these studies
                prepared.append((fresh[grant.ref], False))
                continue
            prepared.append(self._paper(study, grant, wish, at=at))
            if grant is not None and prepared[-1][1]:
                fresh[grant.ref] = prepared[-1][0]
        document = self._press.sheets(studies, [paper for paper, _ in prepared], wish, at=at)
        more = {"kind": "label"} if wish.label else {}
        for study, grant, (paper, is_fresh) in zip(studies, before, prepared, strict=True):
            self._keep(
                study, paper, grant, is_fresh=is_fresh, event=Event.SHEET_PRINTED, at=at, actor=actor, **more
            )
        return document

    def sample(self, site: SiteFacts, *, at: datetime) -> Document:
        """A sheet of nobody in a look that need not be kept yet. It opens nothing, and says so.

        Raises GlyphsMissing and what rendering raises.
        """
        return self._press.sample(site, expires_at=at + self._grants.life, at=at)

    def report(self, study: Study, report: Report, wish: Wish, *, at: datetime, actor: str) -> Document:
        """The signed report in its own language, with the access block in the patient's on its first page.

        Raises as ``sheet`` does.
        """
        before = self._grants.current(study)
        paper, is_fresh = self._paper(study, before, wish, at=at)
        document = self._press.report(study, report, paper, wish, at=at)
        digest = self._copies.note(report, document.pdf, Copy.PRINTED, at=at)
        self._keep(
            study,
            paper,
            before,
            is_fresh=is_fresh,
            event=Event.REPORT_PRINTED,
            at=at,
            actor=actor,
            sha256=digest,
        )
        return document

    def signed_pdf(self, study: Study, report: Report, *, at: datetime) -> bytes:  # noqa: ARG002
        """A written report as it stands or would stand once signed, in its own language, without access block: what
        is signed, what the archive and a download get. The database need not know ``report`` yet.

        The same report becomes the same bytes, whenever: ``at`` doesn't stand on it. Raises GlyphsMissing and what
        rendering raises.
        """
        return self._press.written(study, report)

    def report_for_patient(self, study: Study, report: Report, *, language: str, at: datetime) -> Document:  # noqa: ARG002
        """The signed report without the access block: a file that is passed on must not carry the key.

        As it was signed, byte for byte, where that is kept. Raises GlyphsMissing and what rendering raises.
        """
        file = self._copies.file(report)
        pdf = file.pdf if file else self.signed_pdf(study, report, at=at)
        self._copies.note(report, pdf, Copy.DOWNLOAD, at=at)
        return Document(file_name("report", study), pdf)

    def _keep(
        self,
        study: Study,
        paper: Paper,
        before: Grant | None,
        *,
        is_fresh: bool,
        event: Event,
        at: datetime,
        actor: str,
        **details: str,
    ) -> None:
        if is_fresh:
            self._grants.keep(paper, at=at, actor=actor, replaces=before)
        paper.grant.printed_at = at
        self._audit.within(
            self._session, event, at=at, actor=actor, grant_id=paper.grant.id, study_id=study.id, **details
        )

    def _paper(self, study: Study, before: Grant | None, wish: Wish, *, at: datetime) -> tuple[Paper, bool]:
        """What the print shows, and whether it is fresh and has to be written. Raises PrintRefused."""
        effect = self.effect(study, at=at)
        if effect is Effect.REFUSED or effect not in (Effect.SAME, Effect.ISSUES, wish.agreed):
            raise PrintRefused(effect)
        if before is None:
            return self._grants.prepare([study], at=at), True
        if effect is Effect.REISSUES or before.ref == wish.replaces:
            return self._grants.prepare_again(before, at=at), True
        paper = self._grants.paper(before, at=at)
        assert paper is not None
        return paper, False
