"""Paper: the sheet and the printed report, with the access block that opens the study.

Within the reprint window a print shows the same code and password again. After it, printing re-issues: the
old sheet dies with the print of the new one, and whoever prints has said yes to that first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters import logo
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.adapters.pdf_files import PdfFiles, Place
from app.config import Settings
from app.domain.events import Event
from app.domain.grants import Kind, Standing
from app.domain.report import Copy, Source
from app.models import Grant, Report, Study
from app.services import paper_contexts
from app.services.audit import Audit
from app.services.grants import Grants, Paper
from app.services.paper_contexts import GlyphsMissing as GlyphsMissing
from app.services.paper_wishes import Document as Document
from app.services.paper_wishes import Effect as Effect
from app.services.paper_wishes import PrintRefused as PrintRefused
from app.services.paper_wishes import Wish as Wish
from app.services.report_copies import ReportCopies
from app.services.site import PAPER_LANGUAGES, Site, SiteFacts

# Whose sheets speak to the patient, or to whoever acts for the patient.
OF_PATIENTS = (Kind.PATIENT, Kind.GUARDIAN)
# For what is only looked at, not printed.
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


class Papers:
    """Works within the caller's transaction: a print that fails leaves the old sheet as it was."""

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
        self._site = site
        self._templates = templates
        self._renderer = renderer
        self._pdf_files = pdf_files
        self._audit = audit
        self._settings = settings
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
        return self._with_access("sheet.html", study, wish, at=at, actor=actor)

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
        site = self._site.facts()
        context = self._context(newest, site, wish, at) | {"access": self._access(paper, wish)}
        pdf = self._render("sheet.html", self._language(wish, site), context)
        for study in grant.studies:
            self._keep(study, paper, None, is_fresh=False, event=Event.SHEET_PRINTED, at=at, actor=actor)
        return Document(_file_name("sheet.html", newest), pdf)

    def missing(self, study: Study, wish: Wish) -> list[str]:
        """The characters of a study's sheet that no font has."""
        try:
            paper_contexts.check(self._context(study, self._site.facts(), wish, _ANY_MOMENT))
        except GlyphsMissing as missing:
            return missing.characters
        return []

    def sheets(self, studies: Sequence[Study], wish: Wish, *, at: datetime, actor: str) -> Document:
        """Their access sheets, or labels, in one file, each on a page of its own, in this order; all or none.

        Raises as ``sheet`` does.
        """
        site = self._site.facts()
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
        contexts = [self._context(study, site, wish, at) for study in studies]
        context = {
            "site": contexts[0]["site"] | ({"logo_mm": logo.size_mm(site.logo)} if site.logo else {}),
            "printed_at": self._local(at),
            "label": wish.label,
            "sheets": [
                {"patient": one["patient"], "study": one["study"], "access": self._access(paper, wish)}
                for one, (paper, _) in zip(contexts, prepared, strict=True)
            ],
        }
        kind = "labels" if wish.label else "sheets"
        name = f"{kind}-{self._local(at):%Y-%m-%d-%H%M}-{len(studies)}.pdf"
        document = Document(name, self._render(f"{kind}.html", self._language(wish, site), context))
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
        wish = Wish(language=site.language)
        nobody = Study(
            patient_name="Sample^Sam",
            patient_id="0000",
            modalities="CT",
            description="",
            accession_number="0000",
            institution_name="",
            study_date=self._local(at).date(),
        )
        access = paper_contexts.sample_access(self._settings.base_url) | {
            "expires": self._local(at + self._grants.life).date()
        }
        context = self._context(nobody, site, wish, at) | {"access": access, "sample": True}
        return Document("sample.pdf", self._render("sheet.html", site.language, context))

    def report(self, study: Study, report: Report, wish: Wish, *, at: datetime, actor: str) -> Document:
        """The signed report in its own language, with the access block in the patient's on its first page.

        Raises as ``sheet`` does.
        """
        site = self._site.facts()
        before = self._grants.current(study)
        paper, is_fresh = self._paper(study, before, wish, at=at)
        more = {"access": self._access(paper, wish), "printed_at": self._local(at)}
        if report.source == Source.BROUGHT:
            pdf = self._stamped(study, report, wish, self._context(study, site, wish, at) | more)
        else:
            context = self._report_context(study, report, site, wish.paper) | more
            pdf = self._render(
                "report.html", self._report_language(report, site), context, reader=self._language(wish, site)
            )
        digest = self._copies.note(report, pdf, Copy.PRINTED, at=at)
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
        return Document(_file_name("report.html", study), pdf)

    def _stamped(self, study: Study, report: Report, wish: Wish, context: dict[str, Any]) -> bytes:
        """A report that was made elsewhere with the access block in the patient's language: on a page of its own (the
        sheet), or where it is wished for and there is room, in a corner of its first page."""
        file = self._copies.file(report)
        assert file is not None, f"the PDF of report {report.id} of study {study.id} is gone"
        language = self._language(wish, self._site.facts())
        if wish.place is Place.CORNER:
            block = self._render("access_corner.html", language, context)
            if (pdf := self._pdf_files.stamp(file.pdf, block, Place.CORNER)) is not None:
                return pdf
        place = Place.END if wish.place is Place.END else Place.FRONT
        pdf = self._pdf_files.stamp(file.pdf, self._render("sheet.html", language, context), place)
        assert pdf is not None
        return pdf

    def signed_pdf(self, study: Study, report: Report, *, at: datetime) -> bytes:  # noqa: ARG002
        """A written report as it stands or would stand once signed, in its own language, without access block: what
        is signed, what the archive and a download get. The database need not know ``report`` yet.

        The same report becomes the same bytes, whenever: ``at`` doesn't stand on it. Raises GlyphsMissing and what
        rendering raises.
        """
        site = self._site.facts()
        context = self._report_context(study, report, site, "") | {"access": None, "printed_at": None}
        return self._render("report.html", self._report_language(report, site), context)

    def report_for_patient(self, study: Study, report: Report, *, language: str, at: datetime) -> Document:  # noqa: ARG002
        """The signed report without the access block: a file that is passed on must not carry the key.

        As it was signed, byte for byte, where that is kept. Raises GlyphsMissing and what rendering raises.
        """
        file = self._copies.file(report)
        pdf = file.pdf if file else self.signed_pdf(study, report, at=at)
        self._copies.note(report, pdf, Copy.DOWNLOAD, at=at)
        return Document(_file_name("report.html", study), pdf)

    def _with_access(self, template: str, study: Study, wish: Wish, *, at: datetime, actor: str) -> Document:
        """Hash and render first, write after: neither may hold a write lock."""
        site = self._site.facts()
        before = self._grants.current(study)
        paper, is_fresh = self._paper(study, before, wish, at=at)
        context = self._context(study, site, wish, at) | {"access": self._access(paper, wish)}
        document = Document(
            _file_name(template, study), self._render(template, self._language(wish, site), context)
        )
        self._keep(study, paper, before, is_fresh=is_fresh, event=Event.SHEET_PRINTED, at=at, actor=actor)
        return document

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

    def _context(self, study: Study, site: SiteFacts, wish: Wish, at: datetime) -> dict[str, Any]:
        """Raises GlyphsMissing."""
        return self._facts(study, site, wish.paper, self._language(wish, site)) | {
            "printed_at": self._local(at)
        }

    def _facts(self, study: Study, site: SiteFacts, paper: str, language: str) -> dict[str, Any]:
        return {
            "site": paper_contexts.letterhead(site, paper),
            "patient": paper_contexts.patient(study),
            "study": paper_contexts.examined(study, self._templates.translator(language)),
        }

    def _report_context(self, study: Study, report: Report, site: SiteFacts, paper: str) -> dict[str, Any]:
        """Raises GlyphsMissing."""
        signed_at = self._local(report.signed_at) if report.signed_at else None
        written = paper_contexts.report(
            report,
            signed_at=signed_at,
            replaces=self._replaced_on(study, report),
            base_url=self._settings.base_url,
        )
        return self._facts(study, site, paper, self._report_language(report, site)) | {"report": written}

    def _access(self, paper: Paper, wish: Wish) -> dict[str, Any]:
        """Raises GlyphsMissing."""
        translate = self._templates.translator(self._language(wish, self._site.facts()))
        return paper_contexts.access(paper, self._settings.base_url, with_password=wish.with_password) | {
            "opened": paper_contexts.opened(paper.grant, translate)
        }

    @staticmethod
    def _language(wish: Wish, site: SiteFacts) -> str:
        return wish.language if wish.language in PAPER_LANGUAGES else site.language

    @staticmethod
    def _report_language(report: Report, site: SiteFacts) -> str:
        return report.language if report.language in PAPER_LANGUAGES else site.language

    def _replaced_on(self, study: Study, report: Report) -> date | None:
        """When the version was signed that ``report`` amends."""
        before = select(Report.signed_at).where(
            Report.study_id == study.id, Report.version == report.version - 1
        )
        signed_at = self._session.scalar(before)
        return self._local(signed_at).date() if signed_at else None

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self._settings.time_zone))

    def _render(self, template: str, language: str, context: dict[str, Any], *, reader: str = "") -> bytes:
        """Raises GlyphsMissing, for what the catalogue says as for what was brought along."""
        html = self._templates.html(template, language=language, reader=reader, **context)
        paper_contexts.check(html)
        return self._renderer.render(html)


def _file_name(template: str, study: Study) -> str:
    kind = template.removesuffix(".html")
    day = study.study_date.isoformat() if study.study_date else "undated"
    return f"{kind}-{day}-{study.id}.pdf"
