"""Links made in Orthanc: grants like any other, and what their tokens open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.domain.share_links import INSTANT, PUBLICATIONS, LinkType
from app.models import Grant, Study, ViewerToken
from app.services.authorization import Gone, Question
from app.services.proof import Claim, Outcome
from app.services.share_tokens import Decoded, Link, Refused, Resource
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, BORN, events, fake_archives, registered, rows, study_in


@dataclass
class Sharing:
    services: Services
    studies: list[Study]

    def make(self, type_: LinkType = LinkType.STONE, **changes: object) -> Link:
        wanted = {
            "resources": [Resource(study.orthanc_id, study.study_instance_uid) for study in self.studies],
            "seconds": 3600,
            "expires_at": None,
            "label": "Dr Muster",
        } | changes
        self.services.session.rollback()
        link = self.services.share_tokens.make("main", type_, at=self.services.clock(), **wanted)  # type: ignore[arg-type]
        self.services.session.commit()
        return link

    def opens(self, token: str, study: Study, **changes: object) -> bool:
        question = Question(
            archive="main",
            method="get",
            level="study",
            token=token,
            orthanc_id=study.orthanc_id,
            study_instance_uid=study.study_instance_uid,
        )
        asked = replace(question, **changes)  # type: ignore[arg-type]
        return self.services.authorization.answer(asked, at=self.services.clock()).is_granted

    def decode(self, token: str, archive: str = "main") -> Decoded | Gone:
        return self.services.share_tokens.decode(archive, token, at=self.services.clock())

    @property
    def grant(self) -> Grant:
        return max(rows(self.services, Grant), key=lambda grant: grant.id)


@pytest.fixture
def sharing(services: Services) -> Sharing:
    fake_archives(services)
    registered(services)
    studies = [study_in(services), study_in(services)]
    for study in studies:
        services.session.refresh(study)
    services.session.expunge_all()
    services.session.commit()
    return Sharing(services, studies)


def direct(services: Services, *types: LinkType) -> None:
    services.rules.set({"direct_links": ",".join(types)}, at=services.clock(), actor="test")
    services.session.commit()


def test_a_link_leads_to_the_landing_page_unless_the_site_says_otherwise(
    services: Services, sharing: Sharing
) -> None:
    link = sharing.make()

    assert link.url is not None
    base, _, symbols = link.url.partition("/#")
    assert base == services.settings.base_url
    assert sharing.grant.kind == Kind.LINK
    assert sharing.grant.label == "Dr Muster"
    assert not rows(services, ViewerToken)
    assert not sharing.opens(link.token, sharing.studies[0])

    paper = services.grants.paper(services.grants.by_ref(sharing.grant.ref), at=services.clock())  # type: ignore[arg-type]
    assert paper is not None
    assert paper.code.symbols == symbols
    services.session.rollback()
    verdict = services.proof.check(Claim(paper.code, BORN, None, ADDRESS), at=services.clock())
    assert verdict.outcome is Outcome.OPENED


def test_a_straight_link_opens_its_studies_and_no_other(services: Services, sharing: Sharing) -> None:
    direct(services, LinkType.STONE)
    other = study_in(services)
    services.session.refresh(other)
    services.session.expunge_all()

    link = sharing.make()

    uids = ",".join(study.study_instance_uid for study in sharing.studies)
    assert link.url == (
        f"{services.settings.archives[0].public_url}stone-webviewer/index.html"
        f"?study={uids}&selectedStudies={uids}&token={link.token}"
    )
    assert all(sharing.opens(link.token, study) for study in sharing.studies)
    assert not sharing.opens(link.token, other)
    mixed = sharing.studies[1].study_instance_uid
    assert not sharing.opens(link.token, sharing.studies[0], study_instance_uid=mixed)
    assert not sharing.opens(link.token, sharing.studies[0], archive="other")
    for method in ("put", "delete"):
        assert not sharing.opens(link.token, sharing.studies[0], method=method)


def test_revoking_the_grant_ends_its_token(services: Services, sharing: Sharing) -> None:
    direct(services, LinkType.STONE)
    link = sharing.make()

    grant = services.grants.by_ref(sharing.grant.ref)
    assert grant is not None
    services.grants.revoke(grant, at=services.clock(), actor="test")
    services.session.commit()

    assert not sharing.opens(link.token, sharing.studies[0])
    assert sharing.decode(link.token) is Gone.INVALID
    assert events(services)[-2:] == ["grant:revoked"] * 2


def test_a_link_ends_with_its_time(services: Services, sharing: Sharing, clock: Clock) -> None:
    direct(services, LinkType.STONE)
    straight, landing = sharing.make(), sharing.make(LinkType.OHIF)
    clock.forward(hours=1)

    assert not sharing.opens(straight.token, sharing.studies[0])
    assert sharing.decode(straight.token) is Gone.EXPIRED
    assert sharing.decode(landing.token) is Gone.EXPIRED


@pytest.mark.parametrize("type_", INSTANT)
def test_an_instant_link_has_no_address_and_a_short_life(
    services: Services, sharing: Sharing, clock: Clock, type_: LinkType
) -> None:
    link = sharing.make(type_, seconds=0)

    assert link.url is None
    wanted = Permission.DOWNLOAD if type_ is LinkType.DOWNLOAD_NOW else Permission.VIEW
    assert sharing.opens(link.token, sharing.studies[0], permission=wanted)
    clock.forward(hours=1)
    assert not sharing.opens(link.token, sharing.studies[0], permission=wanted)


@pytest.mark.parametrize("type_", PUBLICATIONS)
def test_decoding_tells_what_a_live_token_holds(
    services: Services, sharing: Sharing, type_: LinkType
) -> None:
    direct(services, *PUBLICATIONS)
    sharing.studies = sharing.studies[:1]
    link = sharing.make(type_)

    found = sharing.decode(link.token)

    assert isinstance(found, Decoded)
    assert (found.type, found.url) == (type_.value, link.url)
    assert [study.orthanc_id for study in found.studies] == [sharing.studies[0].orthanc_id]
    assert sharing.decode(link.token, archive="other") is Gone.INVALID


def test_decoding_a_link_to_the_landing_page_grants_nothing(sharing: Sharing) -> None:
    link = sharing.make()

    found = sharing.decode(link.token)

    assert isinstance(found, Decoded)
    assert found.url == link.url
    assert found.studies == ()


def test_what_is_no_token_of_ours_decodes_to_nothing(services: Services, sharing: Sharing) -> None:
    unknown = services.crypto.sign("viewer-token", "A" * 22)

    assert sharing.decode(unknown) is Gone.UNKNOWN
    assert sharing.decode(services.crypto.sign("link", "no such grant")) is Gone.UNKNOWN
    for text in ("", "eyJhbGciOiJIUzI1NiJ9.e30.x", "Basic Zm9vOmJhcg==", "\0", "é" * 500):
        assert sharing.decode(text) is Gone.INVALID


def test_only_studies_of_that_archive_that_are_there_can_be_shared(sharing: Sharing) -> None:
    known = sharing.studies[0]
    for resources in (
        [],
        [Resource("", "")],
        [Resource("nothing", "")],
        [Resource(known.orthanc_id, "1.2.3")],
        [Resource("a\0b", "")],
        [Resource(known.orthanc_id, known.study_instance_uid)] * 51,
    ):
        with pytest.raises(Refused):
            sharing.make(resources=resources)


def test_the_landing_page_asks_what_the_site_says(services: Services, sharing: Sharing) -> None:
    services.rules.set({"link_policy": "code+password"}, at=services.clock(), actor="test")
    services.session.commit()

    link = sharing.make()

    assert link.url is not None
    assert link.url.endswith("!p")
    assert sharing.grant.policy == "code+password"


def test_a_link_without_an_end_is_revoked_some_day(
    services: Services, sharing: Sharing, clock: Clock
) -> None:
    services.rules.set(
        {"share_until_revoked": "yes", "direct_links": LinkType.STONE}, at=clock(), actor="test"
    )
    services.session.commit()
    link = sharing.make(seconds=0)

    assert sharing.grant.expires_at is None
    clock.forward(days=4000)
    assert sharing.opens(link.token, sharing.studies[0])


def test_a_shorter_life_than_a_day_is_kept(sharing: Sharing, clock: Clock) -> None:
    sharing.make(seconds=1)

    assert sharing.grant.expires_at == clock.now + timedelta(seconds=1)
