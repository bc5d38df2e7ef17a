"""Signed reports as rows, without writing or rendering them: for what happens to a report after its signature."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import func, select

from app.domain.report import FilePurpose, Source
from app.domain.staff import Role
from app.models import Report, ReportFile, Staff, Study
from app.services import deliveries
from app.wiring import Services

PDF = b"%PDF-1.7\n% not really, and of an odd length\n%%EOF"


def radiologist(services: Services) -> Staff:
    known = services.session.scalars(select(Staff).where(Staff.login == "anna")).one_or_none()
    return known or services.staff.add(
        login="anna",
        name="Dr Anna Haus",
        roles=[Role.RADIOLOGIST],
        password="correct horse battery",
        at=services.clock(),
        actor="test",
    )


def signed(
    services: Services,
    study: Study,
    pdf: bytes = PDF,
    *,
    source: Source = Source.WRITTEN,
    at: datetime | None = None,
) -> Report:
    """The next signed version of the study's report, with its file and its way into the archive; committed."""
    services.session.commit()  # accounts are written on a connection of their own
    at, study_id, anna = at or services.clock(), study.id, radiologist(services).id
    newest = services.session.scalar(select(func.max(Report.version)).where(Report.study_id == study_id))
    report = Report(
        study_id=study_id,
        version=(newest or 0) + 1,
        source=source.value,
        findings="",
        impression="No fracture.",
        reason="A slip." if newest else None,
        written_by_id=anna,
        saved_at=at,
        signed_at=at,
        signed_by_id=anna,
        signed_name="Dr Anna Haus",
    )
    services.session.add(report)
    services.session.flush()
    purpose = FilePurpose.SIGNED if source is Source.WRITTEN else FilePurpose.BROUGHT
    services.session.add(
        ReportFile(
            report_id=report.id,
            purpose=purpose.value,
            pages=1,
            sha256=hashlib.sha256(pdf).digest(),
            pdf=pdf,
            made_at=at,
        )
    )
    deliveries.expect(services.session, report, at=at)
    services.session.commit()
    return report


def archive_reports(services: Services) -> None:
    """The clinic wants reports in its archive."""
    services.rules.set({"archive_reports": "yes"}, at=services.clock(), actor="test")
    services.session.commit()
