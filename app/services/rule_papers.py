"""The sheet for a group: code, QR and password of a rule on one page, to be handed over by hand.

Refuses to make a new code by the way: where the old one can't be shown any more, somebody makes a new one first.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.config import Settings
from app.domain.events import Event
from app.models import TagRule
from app.services import paper_contexts
from app.services.audit import Audit
from app.services.grants import Grants
from app.services.paper_wishes import Document
from app.services.site import Site


class RulePapers:
    """Works within the caller's transaction."""

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

    def sheet(self, rule: TagRule, *, at: datetime, actor: str) -> Document | None:
        """None where code and password can't be shown any more. Raises GlyphsMissing and what rendering raises."""
        grant = self._grants.by_id(rule.grant_id)
        paper = self._grants.paper(grant, at=at)
        if paper is None:
            return None
        site = self._site.facts()
        context: dict[str, Any] = {
            "site": paper_contexts.letterhead(site, ""),
            "group": rule.name,
            "access": paper_contexts.access(paper, self._settings.base_url, with_password=True)
            | {"is_group": True},
            "printed_at": at.astimezone(ZoneInfo(self._settings.time_zone)),
        }
        html = self._templates.html("group.html", language=site.language, **context)
        paper_contexts.check(html)
        document = Document(f"group-{rule.id}.pdf", self._renderer.render(html))
        grant.printed_at = at
        self._audit.within(self._session, Event.SHEET_PRINTED, at=at, actor=actor, grant_id=grant.id)
        return document
