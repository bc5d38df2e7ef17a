"""Paper: the sheet and the printed report, with the access block that opens the study.

Within the reprint window a print shows the same code and password again. After it, printing re-issues: the
old sheet dies with the print of the new one, and whoever prints has said yes to that first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters import logo
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.config import Settings
from app.domain.events import Event
from app.domain.grants import Standing
from app.models import Grant, Report, Study
from app.services import paper_contexts
from app.services.audit import Audit
from app.services.grants import Grants, Paper
from app.services.paper_contexts import GlyphsMissing as GlyphsMissing
from app.services.site import LANGUAGES, Site, SiteFacts

# For what is only looked at, not printed.
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


class Effect(StrEnum):
    """What printing does to the grant of a study."""

    SAME = "same"  # the code and password that were printed before
    ISSUES = "issues"  # there is none yet, or it was revoked
    REISSUES = "reissues"  # a fresh code; the old sheet stops working
    REFUSED = "refused"  # suspended: staff have to look whose study it is first


class PrintRefused(Exception):
    """Printing now would do what nobody agreed to; ``effect`` says what."""

    def __init__(self, effect: Effect) -> None:
        super().__init__(effect)
        self.effect = effect


@dataclass(frozen=True)
class Wish:
    """How somebody wants it printed. Unknown values fall back to the site's."""

    language: str = ""
    paper: str = ""
    with_password: bool = False
    agreed: Effect = Effect.SAME
    # Ref of the grant whose sheet was lost: a fresh one takes its place even while it could be printed again. A
    # name, not a yes, so that the same form sent twice makes one.
    replaces: str = ""


@dataclass(frozen=True)
class Document:
    name: str
    pdf: bytes = field(repr=False)


class Papers:
    """Works within the caller's transaction: a print that fails leaves the old sheet as it was."""

    def __init__(
        self,
        session: Session,
        grants: Grants,
        site: Site,
        templates: PaperTemplates,
        renderer: Renderer,
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._session = session
        self._grants = grants
        self._site = site
        self._templates = templates
        self._renderer = renderer
        self._audit = audit
        self._settings = settings

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
        """The access sheet. Raises PrintRefused, GlyphsMissing, Busy, and what rendering raises."""
        return self._with_access("sheet.html", study, {}, wish, at=at, actor=actor)

    def missing(self, study: Study, wish: Wish) -> list[str]:
        """The characters of a study's sheet that no font has."""
        try:
            paper_contexts.check(self._context(study, self._site.facts(), wish, _ANY_MOMENT))
        except GlyphsMissing as missing:
            return missing.characters
        return []

    def sheets(self, studies: Sequence[Study], wish: Wish, *, at: datetime, actor: str) -> Document:
        """Their access sheets in one file, each on a page of its own, in this order; all of them or none.

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
            "sheets": [
                {"patient": one["patient"], "study": one["study"], "access": self._access(paper, wish)}
                for one, (paper, _) in zip(contexts, prepared, strict=True)
            ],
        }
        name = f"sheets-{self._local(at):%Y-%m-%d-%H%M}-{len(studies)}.pdf"
        document = Document(name, self._render("sheets.html", site, wish, context))
        for study, grant, (paper, is_fresh) in zip(studies, before, prepared, strict=True):
            self._keep(study, paper, grant, is_fresh=is_fresh, event=Event.SHEET_PRINTED, at=at, actor=actor)
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
        return Document("sample.pdf", self._render("sheet.html", site, wish, context))

    def report(self, study: Study, report: Report, wish: Wish, *, at: datetime, actor: str) -> Document:
        """The signed report with the access block on its first page. Raises as ``sheet`` does."""
        more = {"report": self._report(report)}
        return self._with_access("report.html", study, more, wish, at=at, actor=actor)

    def _with_access(
        self, template: str, study: Study, more: dict[str, Any], wish: Wish, *, at: datetime, actor: str
    ) -> Document:
        """Hash and render first, write after: neither may hold a write lock."""
        site = self._site.facts()
        before = self._grants.current(study)
        paper, is_fresh = self._paper(study, before, wish, at=at)
        context = self._context(study, site, wish, at) | {"access": self._access(paper, wish)} | more
        document = Document(_file_name(template, study), self._render(template, site, wish, context))
        event = Event.REPORT_PRINTED if more else Event.SHEET_PRINTED
        self._keep(study, paper, before, is_fresh=is_fresh, event=event, at=at, actor=actor)
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
    ) -> None:
        if is_fresh:
            self._grants.keep(paper, at=at, actor=actor, replaces=before)
        paper.grant.printed_at = at
        self._audit.within(
            self._session, event, at=at, actor=actor, grant_id=paper.grant.id, study_id=study.id
        )

    def report_for_patient(self, study: Study, report: Report, *, language: str, at: datetime) -> Document:
        """The signed report without the access block: a file that is passed on must not carry the key.

        Raises GlyphsMissing and what rendering raises.
        """
        site = self._site.facts()
        wish = Wish(language=language)
        context = self._context(study, site, wish, at) | {"access": None, "report": self._report(report)}
        return Document(_file_name("report.html", study), self._render("report.html", site, wish, context))

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
        translate = self._templates.translator(self._language(wish, site))
        return {
            "site": paper_contexts.letterhead(site, wish.paper),
            "patient": paper_contexts.patient(study),
            "study": paper_contexts.examined(study, translate),
            "printed_at": self._local(at),
        }

    def _access(self, paper: Paper, wish: Wish) -> dict[str, Any]:
        return paper_contexts.access(paper, self._settings.base_url, with_password=wish.with_password)

    @staticmethod
    def _language(wish: Wish, site: SiteFacts) -> str:
        return wish.language if wish.language in LANGUAGES else site.language

    def _replaced_on(self, report: Report) -> date | None:
        """When the version was signed that ``report`` amends."""
        before = select(Report.signed_at).where(
            Report.study_id == report.study_id, Report.version == report.version - 1
        )
        signed_at = self._session.scalar(before)
        return self._local(signed_at).date() if signed_at else None

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self._settings.time_zone))

    def _report(self, report: Report) -> dict[str, Any]:
        return {
            "findings": report.findings,
            "impression": report.impression,
            "signed_by": report.signed_name,
            "signed_at": self._local(report.signed_at) if report.signed_at else None,
            "version": report.version,
            "reason": report.reason,
            "replaces": self._replaced_on(report),
        }

    def _render(self, template: str, site: SiteFacts, wish: Wish, context: dict[str, Any]) -> bytes:
        paper_contexts.check(context)
        html = self._templates.html(template, language=self._language(wish, site), **context)
        return self._renderer.render(html)


def _file_name(template: str, study: Study) -> str:
    kind = template.removesuffix(".html")
    day = study.study_date.isoformat() if study.study_date else "undated"
    return f"{kind}-{day}-{study.id}.pdf"
