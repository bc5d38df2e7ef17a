"""Studies and series in words for people: never a DICOM code without its meaning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from app.domain.dicom import parse_person_name
from app.domain.modality import MEANINGS, OTHER, examination
from app.domain.permissions import Permission
from app.domain.study import Series
from app.models import Grant, Study
from app.web import i18n
from app.web.i18n import _


def modality(code: str) -> str:
    """The meaning of a modality's code in the reader's language."""
    return _(MEANINGS.get(code, OTHER))


def describe(study: Study) -> dict[str, Any]:
    """What a page says of a study. The description is the modality's own words; without one, its meaning."""
    title = examination(study.modalities, study.description, _)
    return {
        "id": study.id,
        "title": title,
        "date_text": i18n.show_date(study.study_date) if study.study_date else "",
        "institution": study.institution_name,
        "patient_name": parse_person_name(study.patient_name).shown,
        "series_count": study.series_count,
        "image_count": study.instance_count,
    }


def permissions(allowed: Permission) -> dict[str, bool]:
    return {"report": Permission.REPORT in allowed, "download": Permission.DOWNLOAD in allowed}


def expires_text(grants: Iterable[Grant]) -> str:
    """When the last of them ends; empty where one has no end."""
    ends = [grant.expires_at for grant in grants]
    if not ends or None in ends:
        return ""
    return _("This access ends on %(date)s.", date=i18n.show_date(max(filter(None, ends)).date()))


def describe_series(series: Series) -> dict[str, Any]:
    kind = modality(series.modality)
    return {
        "number": series.number,
        "title": series.title or kind,
        "modality_name": kind,
        "image_count": len(series.pictures),
        "shown": bool(series.pictures),
        "reason": _("%(kind)s: it has no pictures that can be shown here.", kind=kind),
    }


def position(
    listed: Sequence[Series], series_number: int | None, picture_number: int | None, *, base: str
) -> dict[str, Any] | None:
    """The picture shown now and its neighbours; None for a place that doesn't exist.

    Without ``picture_number``: the middle of the series, where there is most to see. ``base``: the look's
    address, below which the pictures are.
    """
    if series_number is None or not 1 <= series_number <= len(listed):
        return None
    series = listed[series_number - 1]
    count = len(series.pictures)
    number = (count + 1) // 2 if picture_number is None else picture_number
    if not 1 <= number <= count:
        return None

    def page(at: int) -> str | None:
        if not 1 <= at <= count:
            return None
        return f"{base}?series={series_number}&image={at}"

    return {
        "series_number": series_number,
        "image_number": number,
        "image_count": count,
        "image_url": f"{base}/{series_number}/{number}.jpg",
        "previous_url": page(number - 1),
        "next_url": page(number + 1),
        "alt": _(
            "%(series)s, image %(number)s of %(count)s",
            series=series.title or modality(series.modality),
            number=number,
            count=count,
        ),
    }
