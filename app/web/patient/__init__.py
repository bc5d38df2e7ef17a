"""The patient's pages: the way in, the study, the light look, the way out."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("patient", __name__)

# The views register themselves on the blueprint.
from app.web.patient import (  # noqa: E402, F401
    brand,
    control,
    download,
    group,
    images,
    landing,
    preview,
    report,
    staying,
    studies,
    study,
)
