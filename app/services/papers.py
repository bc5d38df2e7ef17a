"""Paper: the sheet and the printed report, with the access block that opens the study.

Within the reprint window a print shows the same code and password again. After it, printing re-issues: the
old sheet dies with the print of the new one, and whoever prints has said yes to that first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters import fonts, logo, qr
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.config import Settings
from app.domain.dicom import parse_person_name
from app.domain.events import Event
from app.domain.grants import Policy, Standing
from app.domain.modality import examination
from app.models import Grant, Report, Study
from app.services.audit import Audit
from app.services.grants import Grants, Paper
from app.services.site import LANGUAGES, PAPERS, Site, SiteFacts


class Effect(StrEnum):
    """What printing does to the grant of a study."""

    SAME = "same"  # the code and password that were printed before
    ISSUES = "issues"  # there is none yet, or it was revoked
    REISSUES = "reissues"  # a fresh code; the old sheet stops working
    REFUSED = "refused"  # suspended: staff have to look whose study it is first


class GlyphsMissing(Exception):
    """The installed fonts lack characters of a text: it would print as empty boxes. Carries them."""

    def __init__(self, characters: list[str]) -> None:
        super().__init__("the fonts lack characters")
        self.characters = characters


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
        document = self._render(template, study, site, wish, context)
        if is_fresh:
            self._grants.keep(paper, at=at, actor=actor, replaces=before)
        paper.grant.printed_at = at
        event = Event.REPORT_PRINTED if more else Event.SHEET_PRINTED
        self._audit.within(
            self._session, event, at=at, actor=actor, grant_id=paper.grant.id, study_id=study.id
        )
        return document

    def report_for_patient(self, study: Study, report: Report, *, language: str, at: datetime) -> Document:
        """The signed report without the access block: a file that is passed on must not carry the key.

        Raises GlyphsMissing and what rendering raises.
        """
        site = self._site.facts()
        wish = Wish(language=language)
        context = self._context(study, site, wish, at) | {"access": None, "report": self._report(report)}
        return self._render("report.html", study, site, wish, context)

    def _paper(self, study: Study, before: Grant | None, wish: Wish, *, at: datetime) -> tuple[Paper, bool]:
        """What the print shows, and whether it is fresh and has to be written. Raises PrintRefused."""
        effect = self.effect(study, at=at)
        if effect is Effect.REFUSED or effect not in (Effect.SAME, Effect.ISSUES, wish.agreed):
            raise PrintRefused(effect)
        if before is None:
            return self._grants.prepare([study], at=at), True
        if effect is Effect.REISSUES:
            return self._grants.prepare_again(before, at=at), True
        paper = self._grants.paper(before, at=at)
        assert paper is not None
        return paper, False

    def _access(self, paper: Paper, wish: Wish) -> dict[str, Any]:
        policy = Policy(paper.grant.policy)
        shows_password = policy.asks_password or wish.with_password
        # "!p" opens the password field of the landing page; the password itself never stands in a QR.
        marker = "!p" if policy.asks_password else ""
        return {
            "code": paper.code.grouped,
            "password": paper.password.grouped if shows_password else None,
            "asks_birth_date": policy.asks_birth_date,
            "address": _typed_address(self._settings.base_url),
            "qr": qr.svg(f"{self._settings.base_url}/#{paper.code.symbols}{marker}"),
            "expires": paper.grant.expires_at.date() if paper.grant.expires_at else None,
        }

    def _context(self, study: Study, site: SiteFacts, wish: Wish, at: datetime) -> dict[str, Any]:
        names = parse_person_name(study.patient_name)
        forms = [group.shown for group in (names.ideographic, names.phonetic, names.alphabetic)]
        given = [form for form in forms if form]
        printable = [form for form in given if not fonts.missing(form)]
        if given and not printable:
            raise GlyphsMissing(fonts.missing("".join(given)))
        return {
            "site": {
                "name": site.name,
                "address": site.address.splitlines(),
                "phone": site.phone,
                "logo": logo.data_uri(site.logo) if site.logo else None,
                "colour": site.colour,
                "paper": wish.paper if wish.paper in PAPERS else site.paper,
            },
            "patient": {
                "name": printable[0] if printable else "",
                "other_names": printable[1:],
                "id": study.patient_id,
            },
            "study": {
                "title": examination(
                    study.modalities,
                    study.description,
                    self._templates.translator(self._language(wish, site)),
                ),
                "date": study.study_date,
                "accession": study.accession_number,
                "institution": study.institution_name,
            },
            "printed_at": self._local(at),
        }

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

    def _render(
        self, template: str, study: Study, site: SiteFacts, wish: Wish, context: dict[str, Any]
    ) -> Document:
        if missing := fonts.missing("".join(_texts(context))):
            raise GlyphsMissing(missing)
        html = self._templates.html(template, language=self._language(wish, site), **context)
        kind = template.removesuffix(".html")
        day = study.study_date.isoformat() if study.study_date else "undated"
        return Document(f"{kind}-{day}-{study.id}.pdf", self._renderer.render(html))


def _typed_address(base_url: str) -> str:
    """What a person types: the address without its scheme."""
    parts = urlsplit(base_url)
    return f"{parts.netloc}{parts.path}"


def _texts(value: Any) -> list[str]:
    """Every text in a context, but the logo's data."""
    if isinstance(value, str):
        return [] if value.startswith("data:") else [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return []
