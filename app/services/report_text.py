"""What is typed into a report, as a value: cleaned, read out of a version, and as the columns of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.domain.formatting import tidied
from app.domain.report import Section
from app.models import Report
from app.services.report_asides import FIELDS

MAX_TEXT = 100_000  # characters of a section


@dataclass(frozen=True)
class Text:
    """What is typed into a report. ``reason`` is empty in the first version; ``headings`` (by section) and
    ``language`` are the template's, empty: the clinic's language and its own headings."""

    findings: str = ""
    impression: str = ""
    reason: str = ""
    indication: str = ""
    technique: str = ""
    language: str = ""
    headings: Mapping[str, str] = field(default_factory=dict)

    def cleaned(self) -> Text:
        """Lines end alike and nothing invisible stays; what a person wrote is not touched otherwise."""
        return self.saying({name: tidied(words).strip() for name, words in self.typed.items()})

    def saying(self, words: Mapping[str, Any]) -> Text:
        """The same but for these fields."""
        return replace(self, **words)

    @property
    def typed(self) -> dict[str, str]:
        """By field (report_asides.FIELDS)."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def of(cls, report: Report, *, reason: str | None = None) -> Text:
        """What a version says."""
        return cls(
            reason=(report.reason or "") if reason is None else reason,
            language=report.language or "",
            headings=json.loads(report.headings) if report.headings else {},
        ).saying({section.value: getattr(report, section) or "" for section in Section})

    def values(self) -> dict[str, Any]:
        """Columns of Report, but the reason."""
        named = {name: words for name, words in self.headings.items() if words}
        return {
            **{section.value: getattr(self, section) for section in Section},
            "language": self.language,
            "headings": json.dumps(named, ensure_ascii=False, sort_keys=True) if named else "",
        }
