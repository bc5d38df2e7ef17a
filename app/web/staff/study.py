"""A study's page for staff. What is done on it stands beside: report.py, prints.py, images.py, grants.py."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.web.access import Who, allow
from app.web.staff import study_page
from app.web.staff.study_page import blueprint, study_or_404


@blueprint.get("/<int:study_id>")
@allow(Who.STAFF, Act.SEE)
def show(study_id: int) -> ResponseReturnValue:
    return study_page.page(study_or_404(study_id))
