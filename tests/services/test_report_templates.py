"""Templates: a new report begins with the right one, and what was signed never follows a template."""

from __future__ import annotations

import pytest

from app.models import AuditEvent, ReportTemplate, Study
from app.services.report_templates import MOST, Unusable
from app.wiring import Services
from tests.support.factories import rows


def keep(services: Services, template: ReportTemplate | None = None, **fields: str) -> ReportTemplate:
    return services.report_templates.keep(fields, at=services.clock(), actor="staff:root", template=template)


def offered(services: Services, modalities: str) -> list[tuple[str, str]]:
    study = Study(modalities=modalities)
    return [(one.modality, one.name) for one in services.report_templates.offered(study)]


def test_the_templates_of_a_study_come_first_by_its_modalities_and_nameless_ones_before_all(
    services: Services,
) -> None:
    for modality, name in [("", ""), ("", "Short"), ("CT", "Chest"), ("CT", ""), ("MR", ""), ("PT", "Body")]:
        keep(services, modality=modality, name=name)

    assert offered(services, "PT\\CT") == [
        ("CT", ""),
        ("", ""),
        ("PT", "Body"),
        ("CT", "Chest"),
        ("", "Short"),
    ]
    assert offered(services, "US") == [("", ""), ("", "Short")]
    assert offered(services, "") == [("", ""), ("", "Short")]


def test_a_named_template_never_begins_a_report_by_itself(services: Services) -> None:
    keep(services, modality="CT", name="Chest, low dose")
    assert services.report_templates.default(Study(modalities="CT")) is None

    clinic = keep(services, impression_heading="Conclusion")
    assert services.report_templates.default(Study(modalities="CT")) is clinic


def test_the_clinics_headings_stand_where_a_template_of_its_language_has_none(services: Services) -> None:
    keep(services, impression_heading="Conclusion", findings_heading="What we see")
    ct = keep(services, modality="CT", findings_heading="CT findings")
    german = keep(services, modality="MR", language="de")

    assert services.report_templates.headings(ct) == {
        "indication": "",
        "technique": "",
        "findings": "CT findings",
        "impression": "Conclusion",
    }
    assert set(services.report_templates.headings(german).values()) == {""}
    assert services.report_templates.headings(None)["impression"] == "Conclusion"


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("modality", "C*T", "written like CT"),
        ("modality", "A" * 17, "written like CT"),
        ("language", "xx", "languages are"),
        ("name", "x" * 81, "80 characters"),
        ("name", "two\nlines", "one line"),
        ("findings_heading", "x" * 81, "80 characters"),
        ("findings_heading", "a\tb", "one line"),
        ("findings", "x" * 10_001, "10000 characters"),
    ],
)
def test_what_cannot_be_kept_is_told_at_its_field(
    services: Services, field: str, text: str, said: str
) -> None:
    values, problems = services.report_templates.checked({field: text})

    assert list(problems) == [field] and said in str(problems[field])
    with pytest.raises(Unusable):
        keep(services, **{field: text})
    assert services.report_templates.all() == []


def test_two_templates_of_a_modality_differ_in_name(services: Services) -> None:
    first = keep(services, modality="CT")
    with pytest.raises(Unusable, match="without a name"):
        keep(services, modality="ct ")
    second = keep(services, modality="CT", name="Chest")
    with pytest.raises(Unusable, match="another name"):
        keep(services, modality="CT", name=" Chest ")
    assert keep(services, second, modality="CT", name="Chest", findings="Lungs:") is second
    assert services.report_templates.all() == [first, second]


def test_there_are_not_endlessly_many(services: Services) -> None:
    services.session.add_all(ReportTemplate(name=f"T{number}") for number in range(MOST))
    services.session.flush()
    with pytest.raises(Unusable, match="the most"):
        keep(services, name="One more")


def test_what_happens_to_templates_is_on_record(services: Services) -> None:
    template = keep(services, modality="CT", name="Chest", findings="Lungs:")
    keep(services, template, modality="CT", name="Chest", findings="Lungs clear")
    keep(services, template, modality="CT", name="Chest", findings="Lungs clear")
    services.report_templates.delete(template, at=services.clock(), actor="staff:root")
    services.session.commit()

    told = [row.details for row in rows(services, AuditEvent) if row.event == "site:changed"]
    assert [one["what"] for one in told] == ["added", "changed", "deleted"]
    assert {one["setting"] for one in told} == {"report template CT Chest"}
    assert told[1]["changed"] == "findings"
