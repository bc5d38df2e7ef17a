"""Links that somebody makes in Orthanc: grants like any other, some with a token that needs no visit.

A publication leads to the landing page, where the birth date or the password is asked for, unless the site lets links
of its type lead straight to the viewer (``rules.direct_links``): then the token alone opens the studies, and whoever
has the link has the images. Decoding tells Orthanc what a live token holds; of any other, nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain import dicom
from app.domain.grants import Kind, Policy, Standing
from app.domain.permissions import Permission
from app.domain.share_links import INSTANT, INSTANT_LIFE, Lasting, LinkType
from app.domain.viewers import VIEWERS
from app.models import Archive, Grant, Study, ViewerToken
from app.services.authorization import Authorization, Gone
from app.services.grants import Grants
from app.services.rules import SiteRules
from app.services.token_facts import StudyKey
from app.services.visits import TOKEN_PURPOSE

LINK_PURPOSE = "link"
MOST_STUDIES = 50
LOOK_AND_KEEP = Permission.VIEW | Permission.DOWNLOAD


class Refused(ValueError):
    """No link for this; the message is a sentence for whoever asked."""


@dataclass(frozen=True)
class Resource:
    """A study as Orthanc names it; either id may be empty, not both."""

    orthanc_id: str
    study_instance_uid: str


@dataclass(frozen=True)
class Link:
    """``url`` None: Orthanc Explorer makes the address itself."""

    token: str = field(repr=False)
    url: str | None = field(repr=False)


@dataclass(frozen=True)
class Decoded:
    """What a token holds. No studies: the landing page has to be passed first."""

    type: str
    url: str | None = field(repr=False)
    studies: Sequence[StudyKey] = ()


class ShareTokens:
    """Works within the caller's transaction."""

    def __init__(
        self,
        session: Session,
        crypto: Crypto,
        grants: Grants,
        rules: SiteRules,
        authorization: Authorization,
        settings: Settings,
    ) -> None:
        self._session = session
        self._crypto = crypto
        self._grants = grants
        self._rules = rules
        self._authorization = authorization
        self._settings = settings

    def make(
        self,
        archive: str,
        type_: LinkType,
        resources: Sequence[Resource],
        *,
        seconds: object,
        expires_at: datetime | None,
        label: str,
        at: datetime,
    ) -> Link:
        """A link to studies of one archive, lasting as ``Lasting.life`` says. Raises Refused, Busy."""
        studies = self._studies(archive, resources)
        if type_ is LinkType.VOLVIEW and len(studies) > 1:
            raise Refused("VolView opens one study at a time.")
        rules = self._rules.now()
        lasting = Lasting(rules.share_days, rules.share_until_revoked, self._settings.grant_life)
        life = lasting.life(seconds=seconds, expires_at=expires_at, at=at)
        if type_ in INSTANT:
            life = min(life or INSTANT_LIFE, INSTANT_LIFE)
        paper = self._grants.prepare(
            studies,
            at=at,
            kind=Kind.LINK,
            permissions=Permission.DOWNLOAD if type_ is LinkType.DOWNLOAD_NOW else LOOK_AND_KEEP,
            label=dicom.clean_text(label)[:100],
            policy=rules.link_policy,
            life=life,
        )
        self._grants.keep(paper, at=at, actor=f"archive:{archive}")
        if type_ not in INSTANT and type_ not in rules.direct_links:
            token = self._crypto.sign(LINK_PURPOSE, paper.grant.ref)
            return Link(token, self._landing(paper.grant, paper.code.symbols))
        row = ViewerToken(
            id=secrets.token_urlsafe(16), grant_id=paper.grant.id, purpose=type_.value, issued_at=at
        )
        self._session.add(row)
        self._session.flush()
        token = self._crypto.sign(TOKEN_PURPOSE, row.id)
        keys = [StudyKey(archive, study.orthanc_id, study.study_instance_uid) for study in studies]
        return Link(token, self._viewer(type_.viewer, archive, keys, token))

    def straight(self, grants: Sequence[Grant]) -> dict[int, LinkType]:
        """By id, the type of those grants whose link opens the images without asking."""
        query = select(ViewerToken.grant_id, ViewerToken.purpose).where(
            ViewerToken.grant_id.in_([grant.id for grant in grants if grant.kind == Kind.LINK])
        )
        return {
            grant_id: LinkType(purpose)
            for grant_id, purpose in self._session.execute(query)
            if grant_id is not None and purpose
        }

    def decode(self, archive: str, token: str, *, at: datetime) -> Decoded | Gone:
        """What a live token of this archive holds. Raises StoreUnavailable."""
        ref = self._crypto.unsign(LINK_PURPOSE, token)
        if ref is not None:
            return self._decode_link(archive, ref, at=at)
        facts = self._authorization.look(archive, token, at=at)
        if isinstance(facts, Gone):
            return facts
        configured = self._settings.archive(archive).viewer
        type_ = facts.purpose or f"{configured}-viewer-publication"
        viewer = LinkType(facts.purpose).viewer if facts.purpose else configured
        return Decoded(type_, self._viewer(viewer, archive, facts.studies, token), facts.studies)

    def _decode_link(self, archive: str, ref: str, *, at: datetime) -> Decoded | Gone:
        grant = self._grants.by_ref(ref)
        if grant is None:
            return Gone.UNKNOWN
        ours = select(Archive.id).where(Archive.name == archive)
        if {study.archive_id for study in grant.studies} != set(self._session.scalars(ours)):
            return Gone.INVALID
        standing = grant.standing(at)
        if standing is Standing.EXPIRED:
            return Gone.EXPIRED
        if standing not in (Standing.OPEN, Standing.NOT_YET_RELEASED):
            return Gone.INVALID
        paper = self._grants.paper(grant, at=at)
        url = self._landing(grant, paper.code.symbols) if paper else f"{self._settings.base_url}/"
        return Decoded(LinkType.STONE.value, url)

    def _landing(self, grant: Grant, symbols: str) -> str:
        marker = "!p" if Policy(grant.policy).asks_password else ""
        return f"{self._settings.base_url}/#{symbols}{marker}"

    def _viewer(
        self, viewer: str | None, archive: str, studies: Sequence[StudyKey], token: str
    ) -> str | None:
        if viewer is None:
            return None
        return self._settings.archive(archive).public_url + VIEWERS[viewer].wide.format(
            uid=",".join(study.study_instance_uid for study in studies),
            orthanc_id=",".join(study.orthanc_id for study in studies),
            token=token,
        )

    def _studies(self, archive: str, resources: Sequence[Resource]) -> list[Study]:
        if not 0 < len(resources) <= MOST_STUDIES:
            raise Refused(f"A link opens 1 to {MOST_STUDIES} studies.")
        found = dict.fromkeys(self._study(archive, resource) for resource in resources)
        return list(found)

    def _study(self, archive: str, resource: Resource) -> Study:
        query = (
            select(Study)
            .join(Archive, Archive.id == Study.archive_id)
            .where(Archive.name == archive, Study.deleted_at.is_(None))
        )
        if resource.orthanc_id:
            query = query.where(Study.orthanc_id == resource.orthanc_id)
        if resource.study_instance_uid:
            query = query.where(Study.study_instance_uid == resource.study_instance_uid)
        named = resource.orthanc_id or resource.study_instance_uid
        found = self._session.scalars(query.limit(2)).all() if named and "\0" not in named else []
        if len(found) != 1:
            raise Refused("Studykey knows no such study of this archive yet, or more than one.")
        return found[0]
