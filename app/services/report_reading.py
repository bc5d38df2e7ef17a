"""The signed report to be read on a screen: word for word what the PDF says, as HTML in the report's own language.

Made by a template of paper, so that page and print don't drift apart. Refuses nothing: who may read it is decided
before.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters.paper import PaperTemplates
from app.config import Settings
from app.models import Report, Study
from app.services import paper_contexts
from app.services.site import PAPER_LANGUAGES, Site


class ReportReading:
    """Works within the caller's transaction; only reads."""

    def __init__(self, session: Session, site: Site, templates: PaperTemplates, settings: Settings) -> None:
        self._session = session
        self._site = site
        self._templates = templates
        self._settings = settings

    def html(self, study: Study, report: Report) -> Markup:
        """An ``article`` with language and direction of its own: what was amended, the sections, who signed."""
        assert report.signed_at is not None
        written = paper_contexts.report(
            report,
            signed_at=self._local(report.signed_at),
            replaces=self._replaced_on(study, report),
            base_url=self._settings.base_url,
        )
        language = report.language if report.language in PAPER_LANGUAGES else self._site.facts().language
        return Markup(self._templates.html("report_text.html", language=language, report=written))  # noqa: S704 -- escaped by the template

    def _replaced_on(self, study: Study, report: Report) -> date | None:
        """When the version was signed that ``report`` amends."""
        before = select(Report.signed_at).where(
            Report.study_id == study.id, Report.version == report.version - 1
        )
        signed_at = self._session.scalar(before)
        return self._local(signed_at).date() if signed_at else None

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self._settings.time_zone))
