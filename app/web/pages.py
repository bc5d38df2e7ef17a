"""What every template knows: the clinic, the language, the alarm of the staff pages."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app.config import Settings
from app.web import i18n


def init(app: Flask, settings: Settings) -> None:
    app.jinja_env.filters.update(
        show_date=i18n.show_date, short_date=i18n.short_date, show_moment=i18n.show_moment
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.context_processor
    def common() -> dict[str, Any]:
        return {
            "clinic": {
                "name": settings.clinic_name,
                "phone": settings.clinic_phone,
                "logo_url": None,
            },
            "locale": {"lang": str(i18n.locale()).replace("_", "-"), "dir": i18n.direction()},
        }
