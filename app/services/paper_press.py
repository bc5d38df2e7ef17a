"""From a study to a PDF: which facts stand on a sheet or a report, in whose language, and the rendering.

Refuses what no installed font shows. Writes nothing: what a print does to a grant is the business of
``services.papers``, which brings the code and password that stand on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters import logo
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.adapters.pdf_files import PdfFiles, Place
from app.config import Settings
from app.domain.report import Source
from app.models import Report, Study
from app.services import paper_contexts
from app.services.grants import Paper
from app.services.paper_wishes import Document, Wish
from app.services.report_copies import ReportCopies
from app.services.site import PAPER_LANGUAGES, Site, SiteFacts


class PaperPress:
    """Each call raises GlyphsMissing and what rendering raises."""

    def __init__(
        self,
        session: Session,
        site: Site,
        templates: PaperTemplates,
        renderer: Renderer,
        pdf_files: PdfFiles,
        settings: Settings,
    ) -> None:
        self._session = session
        self._site = site
        self._templates = templates
        self._renderer = renderer
        self._pdf_files = pdf_files
        self._settings = settings
        self._copies = ReportCopies(session)

    def check(self, study: Study, wish: Wish) -> None:
        """Whether a study's sheet can be printed, without printing it."""
        site = self._site.facts()
        paper_contexts.check(self._facts(study, site, wish.paper, _language(wish, site)))

    def sheet(self, study: Study, paper: Paper, wish: Wish, *, at: datetime) -> Document:
        site = self._site.facts()
        context = self._with_access(study, paper, wish, site, at)
        return Document(file_name("sheet", study), self._render("sheet.html", _language(wish, site), context))

    def sheets(
        self, studies: Sequence[Study], papers: Sequence[Paper], wish: Wish, *, at: datetime
    ) -> Document:
        """The sheets of these studies, each with its paper, or the labels that were wished for, in one file."""
        site = self._site.facts()
        language = _language(wish, site)
        facts = [self._facts(study, site, wish.paper, language) for study in studies]
        context = {
            "site": facts[0]["site"] | ({"logo_mm": logo.size_mm(site.logo)} if site.logo else {}),
            "printed_at": self._local(at),
            "label": wish.label,
            "sheets": [
                {"patient": one["patient"], "study": one["study"], "access": self._access(paper, wish, site)}
                for one, paper in zip(facts, papers, strict=True)
            ],
        }
        kind = "labels" if wish.label else "sheets"
        name = f"{kind}-{self._local(at):%Y-%m-%d-%H%M}-{len(studies)}.pdf"
        return Document(name, self._render(f"{kind}.html", language, context))

    def sample(self, site: SiteFacts, *, expires_at: datetime, at: datetime) -> Document:
        """A sheet of nobody, with an access block that opens nothing, and says so."""
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
            "expires": self._local(expires_at).date()
        }
        facts = self._facts(nobody, site, "", site.language)
        context = facts | {"printed_at": self._local(at), "access": access, "sample": True}
        return Document("sample.pdf", self._render("sheet.html", site.language, context))

    def report(self, study: Study, report: Report, paper: Paper, wish: Wish, *, at: datetime) -> Document:
        """A signed report with the access block: a written one in its own language, the block on its first page in
        the patient's."""
        site = self._site.facts()
        if report.source == Source.BROUGHT:
            pdf = self._stamped(study, report, wish, site, self._with_access(study, paper, wish, site, at))
        else:
            context = self._report_context(study, report, site, wish.paper) | {
                "access": self._access(paper, wish, site),
                "printed_at": self._local(at),
            }
            language, reader = _report_language(report, site), _language(wish, site)
            pdf = self._render("report.html", language, context, reader=reader)
        return Document(file_name("report", study), pdf)

    def written(self, study: Study, report: Report) -> bytes:
        """A written report in its own language without access block: the same report becomes the same bytes."""
        site = self._site.facts()
        context = self._report_context(study, report, site, "") | {"access": None, "printed_at": None}
        return self._render("report.html", _report_language(report, site), context)

    def _stamped(
        self, study: Study, report: Report, wish: Wish, site: SiteFacts, context: dict[str, Any]
    ) -> bytes:
        """A report that was made elsewhere with the access block in the patient's language: on a page of its own (the
        sheet), or where it is wished for and there is room, in a corner of its first page."""
        file = self._copies.file(report)
        assert file is not None, f"the PDF of report {report.id} of study {study.id} is gone"
        language = _language(wish, site)
        if wish.place is Place.CORNER:
            block = self._render("access_corner.html", language, context)
            if (pdf := self._pdf_files.stamp(file.pdf, block, Place.CORNER)) is not None:
                return pdf
        place = Place.END if wish.place is Place.END else Place.FRONT
        pdf = self._pdf_files.stamp(file.pdf, self._render("sheet.html", language, context), place)
        assert pdf is not None
        return pdf

    def _with_access(
        self, study: Study, paper: Paper, wish: Wish, site: SiteFacts, at: datetime
    ) -> dict[str, Any]:
        return self._facts(study, site, wish.paper, _language(wish, site)) | {
            "access": self._access(paper, wish, site),
            "printed_at": self._local(at),
        }

    def _report_context(self, study: Study, report: Report, site: SiteFacts, paper: str) -> dict[str, Any]:
        said = what_it_says(self._session, study, report, self._settings)
        return self._facts(study, site, paper, _report_language(report, site)) | {"report": said}

    def _facts(self, study: Study, site: SiteFacts, paper: str, language: str) -> dict[str, Any]:
        return {
            "site": paper_contexts.letterhead(site, paper),
            "patient": paper_contexts.patient(study),
            "study": paper_contexts.examined(study, self._templates.translator(language)),
        }

    def _access(self, paper: Paper, wish: Wish, site: SiteFacts) -> dict[str, Any]:
        translate = self._templates.translator(_language(wish, site))
        return paper_contexts.access(paper, self._settings.base_url, with_password=wish.with_password) | {
            "opened": paper_contexts.opened(paper.grant, translate)
        }

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self._settings.time_zone))

    def _render(self, template: str, language: str, context: dict[str, Any], *, reader: str = "") -> bytes:
        """Raises GlyphsMissing, for what the catalogue says as for what was brought along."""
        html = self._templates.html(template, language=language, reader=reader, **context)
        paper_contexts.check(html)
        return self._renderer.render(html)


def what_it_says(session: Session, study: Study, report: Report, settings: Settings) -> dict[str, Any]:
    """A report's words, who signed it and when, and which day's version it amends."""
    before = select(Report.signed_at).where(Report.study_id == study.id, Report.version == report.version - 1)
    zone, amended = ZoneInfo(settings.time_zone), session.scalar(before)
    return paper_contexts.report(
        report,
        signed_at=report.signed_at.astimezone(zone) if report.signed_at else None,
        replaces=amended.astimezone(zone).date() if amended else None,
        base_url=settings.base_url,
    )


def file_name(kind: str, study: Study) -> str:
    """Names the study by its day and number, never its patient."""
    day = study.study_date.isoformat() if study.study_date else "undated"
    return f"{kind}-{day}-{study.id}.pdf"


def _language(wish: Wish, site: SiteFacts) -> str:
    return wish.language if wish.language in PAPER_LANGUAGES else site.language


def _report_language(report: Report, site: SiteFacts) -> str:
    return report.language if report.language in PAPER_LANGUAGES else site.language
