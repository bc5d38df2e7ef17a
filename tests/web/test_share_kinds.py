"""Grants that staff make for patients and guardians: one code for several studies, and what dies with a code."""

from __future__ import annotations

import pytest

from app.domain.grants import Kind, Policy
from app.models import Grant, Study
from app.services.giving_on import Wish
from app.services.grants import Paper
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, rows, study_in, visit
from tests.support.portal import Portal
from tests.support.staff import signed_in

SHARE = {"view": "1", "report": "1", "download": "1", "days": "30", "how": "hand"}


def two_studies(portal: Portal, **changes: str) -> list[int]:
    """The portal's study and one more; of the same person unless changed."""
    first = portal.services.session.get_one(Study, portal.study_id)
    same = {"patient_id": first.patient_id, "patient_name": first.patient_name}
    second = study_in(portal.services, **(same | changes))
    portal.services.session.commit()
    return [portal.study_id, second.id]


def share(portal: Portal, ids: list[int], **fields: str) -> Grant:
    staff = signed_in(portal)
    made = staff.post("/staff/share", **(SHARE | {"study": ids} | fields))  # type: ignore[arg-type]
    assert made.status_code == 303, made.text
    return rows(portal.services, Grant)[-1]


def test_the_patient_gets_one_code_for_several_studies(portal: Portal) -> None:
    ids = two_studies(portal)

    grant = portal.services.grants.by_id(share(portal, ids, kind="patient").id)

    assert (grant.kind, grant.label, grant.policy) == (Kind.PATIENT, "", Policy.BIRTH_DATE)
    assert [study.id for study in grant.studies] == ids


def test_a_single_study_has_its_patients_code_already(portal: Portal) -> None:
    staff = signed_in(portal)

    assert 'value="patient"' not in staff.get(f"/staff/share?study={portal.study_id}").text
    made = staff.post("/staff/share", **SHARE, study=str(portal.study_id), kind="patient", label="Somebody")
    assert made.status_code == 303
    assert rows(portal.services, Grant)[-1].kind == Kind.PHYSICIAN


def test_a_patients_code_is_not_mailed(portal: Portal) -> None:
    staff = signed_in(portal)
    fields = SHARE | {
        "study": two_studies(portal),
        "kind": "patient",
        "how": "mail",
        "address": "a@example.org",
    }

    answer = staff.post("/staff/share", **fields)  # type: ignore[arg-type]

    assert answer.status_code == 422 and "goes out on paper" in answer.text


@pytest.mark.parametrize("same", [{"patient_name": "Moreno^Ana"}, {"birth_date_text": "19700101"}])
def test_studies_are_never_joined_by_their_patient_id_alone(portal: Portal, same: dict[str, str]) -> None:
    staff = signed_in(portal)
    ids = two_studies(portal, **same)

    answer = staff.post("/staff/share", **(SHARE | {"study": ids, "kind": "patient"}))  # type: ignore[arg-type]

    assert answer.status_code == 422 and "several_people" in answer.text


def test_a_guardians_code_has_a_name_and_the_clinics_rule(portal: Portal) -> None:
    grant = share(portal, [portal.study_id], kind="guardian", label="Ana's mother")

    assert (grant.kind, grant.label) == (Kind.GUARDIAN, "Ana's mother")
    assert grant.policy == portal.services.settings.policy_for(Kind.GUARDIAN)


def test_staff_see_what_a_holder_gave_on_and_are_told_that_it_dies(portal: Portal) -> None:
    services = portal.services
    live, _ = visit(services, portal.paper)
    given = services.giving_on.give(
        live, live.studies[0], Wish("Dr Ludwig Moreno"), at=portal.now, address=ADDRESS
    )
    assert isinstance(given, Paper)
    child = given.grant.ref
    services.session.commit()
    staff, ref = signed_in(portal), portal.paper.grant.ref

    shown, asked = staff.get(f"/staff/grant/{ref}").text, staff.get(f"/staff/grant/{ref}/revoke").text
    several = staff.get(f"/staff/studies/revoke?study={portal.study_id}").text
    study = staff.get(f"/staff/study/{portal.study_id}").text

    assert "Given on by its holder" in shown and f"/staff/grant/{child}" in shown
    for question in (asked, several, study):
        assert "This also ends 1 access that its holder gave on:" in question
    assert "Given on by the holder of" in staff.get(f"/staff/grant/{child}").text


def test_the_sheet_of_several_studies_is_printed_from_the_grants_page(portal: Portal, clock: Clock) -> None:
    grant = share(portal, two_studies(portal), kind="patient")
    staff, here = signed_in(portal, login="desk"), f"/staff/grant/{grant.ref}"
    assert f'action="{here}/sheet"' in staff.get(here).text

    printed = staff.post(f"{here}/sheet", language="ar")

    assert (printed.status_code, printed.mimetype) == (200, "application/pdf")
    clock.forward(days=15)
    late = signed_in(portal, login="late")
    assert f'action="{here}/sheet"' not in late.get(here).text
    assert late.post(f"{here}/sheet").status_code == 409


def test_a_physicians_code_has_no_sheet(portal: Portal) -> None:
    grant = share(portal, [portal.study_id], kind="physician", label="Dr Weber")
    staff, here = signed_in(portal, login="desk"), f"/staff/grant/{grant.ref}"

    assert f'action="{here}/sheet"' not in staff.get(here).text
    assert staff.post(f"{here}/sheet").status_code == 409
