"""What every template knows: the clinic, the language, the alarm of the staff pages."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from app.adapters import formatted
from app.domain.dicom import parse_person_name
from app.services.site import SiteFacts
from app.web import i18n
from app.web.context import services


def _person_name(value: str) -> str:
    return parse_person_name(value).shown


def _site() -> SiteFacts:
    try:
        return services().site.facts()
    except SQLAlchemyError:  # even the page that says so needs a name and a number to call
        services().session.rollback()
        return services().site.defaults()


def _has_rules() -> bool:
    """Whether a rule for a DICOM tag is for whoever is signed in."""
    try:
        return "staff" in g and bool(services().tag_rules.of_member(g.staff))
    except SQLAlchemyError:  # the page that says so has a frame too
        services().session.rollback()
        return False


def wanted_languages() -> tuple[str, ...]:
    """The languages that the clinic offers its patients. Staff have whichever holds all pages: none of them is
    to be chosen."""
    if request.path.startswith("/staff"):
        return ()
    try:
        return services().rules.now().languages or i18n.patient_languages()
    except SQLAlchemyError:  # the page that says so has a language too
        services().session.rollback()
        return i18n.patient_languages()


def init(app: Flask) -> None:
    app.jinja_env.filters.update(
        show_date=i18n.show_date,
        short_date=i18n.short_date,
        show_moment=i18n.show_moment,
        short_moment=i18n.short_moment,
        month_day=i18n.month_day,
        person_name=_person_name,
        formatted=formatted.html,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.context_processor
    def common() -> dict[str, Any]:
        site = _site()
        is_staff_page = request.path.startswith("/staff")
        return {
            "may": {act.value for act in g.acts} if "acts" in g else set(),
            "has_rules": is_staff_page and _has_rules(),
            "attack_alarm": is_staff_page and services().limits.site(at=services().clock()).is_alarm,
            "clinic": {
                "name": site.name,
                "phone": site.phone,
                "logo_url": url_for("patient.logo", v=site.logo_version) if site.logo else None,
            },
            "locale": {"lang": str(i18n.locale()).replace("_", "-"), "dir": i18n.direction()},
        }
