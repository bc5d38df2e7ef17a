"""Every code that a rule has had, so that what was opened with an earlier one is found as well."""

from __future__ import annotations

import pytest

from app.domain.permissions import Permission
from app.domain.tag_match import How
from app.models import TagRule
from app.services.audit_search import Wish
from app.services.tag_keys import Wanted
from app.wiring import Services
from tests.support.factories import MINUTE, fake_archives, registered, study_in, visit


@pytest.fixture(autouse=True)
def clinic(services: Services) -> None:
    fake_archives(services)
    registered(services)


def made(services: Services, name: str = "Dr Ludwig Moreno") -> TagRule:
    rule, _ = services.tag_rules.make(
        name,
        Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",)),
        permissions=Permission.VIEW,
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()
    return rule


def renewed(services: Services, rule: TagRule) -> int:
    paper = services.tag_rules.rotate(rule, at=services.clock(), actor="staff:ada")
    services.session.commit()
    assert paper is not None
    return paper.grant.id


def renamed(services: Services, rule: TagRule, name: str) -> None:
    services.tag_rules.change(
        rule,
        name=name,
        back_days=None,
        may_give_on=False,
        announce_to="",
        members=[],
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()


def test_a_rule_begins_with_one_code(services: Services) -> None:
    rule = made(services)
    renamed(services, rule, "Practice Moreno")

    assert services.rule_codes.of(rule) == [rule.grant_id]


def test_each_code_that_was_made_anew_leads_to_the_one_before(services: Services) -> None:
    rule = made(services)
    other = made(services, "Dr Anna Haus")
    ids = [rule.grant_id]
    for name in ("Practice Moreno", "Moreno and Haus"):
        ids.append(renewed(services, rule))
        renamed(services, rule, name)
    renewed(services, other)

    assert services.rule_codes.of(rule) == ids[::-1]
    assert len(services.rule_codes.of(other)) == 2
    for grant_id in ids:
        found = services.rule_codes.rule_of(grant_id)
        assert found is not None and found.id == rule.id


def test_a_code_that_no_rule_had_leads_to_none(services: Services) -> None:
    study = study_in(services)
    (grant,) = services.grants.of_study(study)
    again = services.grants.reissue(grant, at=services.clock(), actor="staff:ada")
    services.session.commit()

    for grant_id in (grant.id, again.grant.id, 2**31 - 1):
        assert services.rule_codes.rule_of(grant_id) is None


def test_what_was_opened_with_an_earlier_code_is_found(services: Services) -> None:
    rule, _ = services.tag_rules.make(
        "Dr Ludwig Moreno",
        Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",)),
        permissions=Permission.VIEW,
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()
    first = services.grants.paper(services.grants.by_id(rule.grant_id), at=services.clock())
    assert first is not None
    visit(services, first)
    renewed(services, rule)
    second = services.grants.paper(services.grants.by_id(rule.grant_id), at=services.clock() + MINUTE)
    assert second is not None
    visit(services, second)

    wish = Wish(events=frozenset({"visit:begun"}), grant_ids=tuple(services.rule_codes.of(rule)))

    assert len(services.audit_search.page(wish).entries) == 2
    assert len(list(services.audit_search.entries(wish))) == 2


def test_a_rule_is_named_by_its_number_or_its_name_also_when_it_has_ended(services: Services) -> None:
    rule, other = made(services), made(services, "Ward 7")
    services.tag_rules.end(rule, at=services.clock(), actor="staff:ada")
    services.session.commit()

    def found(which: str) -> list[int]:
        return [one.id for one in services.rule_codes.named(which)]

    assert found(str(rule.id)) == found("dr ludwig MORENO") == [rule.id]
    assert found("Ward 7") == [other.id]
    for which in ("", "Ward", "Ward %", "*", "99999999999999999999", "²", "0"):
        assert found(which) == [], which


def test_several_rules_of_one_name_are_all_meant(services: Services) -> None:
    ids = [made(services).id, made(services).id]

    assert [rule.id for rule in services.rule_codes.named("Dr Ludwig Moreno")] == ids[::-1]
