"""What a report says, section by section, for pages: under its own headings, or those of the reader's language."""

from __future__ import annotations

from app.domain.report import Section
from app.models import Report
from app.services.reports import Text
from app.web.i18n import _


def headings(text: Text) -> dict[str, str]:
    """By section: the template's own words, or the language of this page's reader."""
    own = {
        Section.INDICATION: _("Indication"),
        Section.TECHNIQUE: _("Technique"),
        Section.FINDINGS: _("Findings"),
        Section.IMPRESSION: _("Impression"),
    }
    return {section.value: text.headings.get(section.value) or label for section, label in own.items()}


def parts(report: Report) -> list[tuple[str, str, str]]:
    """(section, heading, words) of a version, without what is empty."""
    text = Text.of(report)
    labels = headings(text)
    words = [(section.value, labels[section], text.typed[section]) for section in Section]
    return [part for part in words if part[2]]
