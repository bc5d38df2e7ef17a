"""The signed report to be read on a screen: word for word what the PDF says, as HTML in the report's own language.

Made by a template of paper, so that page and print don't drift apart. Refuses nothing: who may read it is decided
before.
"""

from __future__ import annotations

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.adapters.paper import PaperTemplates
from app.config import Settings
from app.models import Report, Study
from app.services.paper_press import what_it_says
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
        said = what_it_says(self._session, study, report, self._settings)
        language = report.language if report.language in PAPER_LANGUAGES else self._site.facts().language
        return Markup(self._templates.html("report_text.html", language=language, report=said))  # noqa: S704 -- escaped by the template
