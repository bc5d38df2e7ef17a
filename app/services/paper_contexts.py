"""What stands on paper, as plain values for the templates of templates/print (adapters.paper).

Refuses what no installed font shows: an empty box in place of a name is found too late.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from app.adapters import fonts, logo, qr
from app.domain.dicom import parse_person_name
from app.domain.grants import Policy
from app.domain.modality import examination
from app.domain.report import Section
from app.models import Grant, Report, Study
from app.services.grants import Paper
from app.services.site import PAPERS, SiteFacts

# Of a code that opens many: those that its sheet names, each in a line.
MOST_LISTED = 8


class GlyphsMissing(Exception):
    """The installed fonts lack characters of a text: it would print as empty boxes. Carries them."""

    def __init__(self, characters: list[str]) -> None:
        super().__init__("the fonts lack characters")
        self.characters = characters


def letterhead(site: SiteFacts, paper: str) -> dict[str, Any]:
    """The clinic. ``paper``: a size that somebody chose; the site's where it is none of ours."""
    return {
        "name": site.name,
        "address": site.address.splitlines(),
        "phone": site.phone,
        "logo": logo.data_uri(site.logo) if site.logo else None,
        "colour": site.colour,
        "paper": paper if paper in PAPERS else site.paper,
    }


def patient(study: Study) -> dict[str, Any]:
    """Whose study it is, in every script that can be printed. Raises GlyphsMissing where none can."""
    names = parse_person_name(study.patient_name)
    forms = [group.shown for group in (names.ideographic, names.phonetic, names.alphabetic)]
    given = [form for form in forms if form]
    printable = [form for form in given if not fonts.missing(form)]
    if given and not printable:
        raise GlyphsMissing(fonts.missing("".join(given)))
    return {
        "name": printable[0] if printable else "",
        "other_names": printable[1:],
        "id": study.patient_id,
    }


def examined(study: Study, translate: Callable[[str], str]) -> dict[str, Any]:
    """What was examined, in the language of ``translate``."""
    return {
        "title": examination(study.modalities, study.description, translate),
        "date": study.study_date,
        "accession": study.accession_number,
        "institution": study.institution_name,
    }


def opened(grant: Grant, translate: Callable[[str], str]) -> dict[str, Any] | None:
    """What a code opens that opens more than one study, newest first; whose each is, where they are of several people.
    None for a code of one study. Raises GlyphsMissing."""
    if len(grant.studies) < 2:
        return None
    in_order = sorted(grant.studies, key=lambda study: (study.study_date or date.min, study.id), reverse=True)
    whose = {study.id: patient(study)["name"] for study in in_order}
    is_of_several = len({(study.patient_id, whose[study.id]) for study in in_order}) > 1
    shown = in_order[:MOST_LISTED]
    return {
        "studies": [examined(study, translate) | {"whose": whose[study.id]} for study in shown],
        "is_of_several": is_of_several,
        "left_out": len(in_order) - len(shown),
    }


def report(
    report: Report, *, signed_at: datetime | None, replaces: date | None, base_url: str
) -> dict[str, Any]:
    """What was written. ``signed_at`` in the clinic's time zone; ``replaces``: the day of the version before it."""
    return {
        "headings": headings(report.headings or ""),
        **{section.value: getattr(report, section.value) or "" for section in Section},
        "signed_by": report.signed_name,
        "signed_at": signed_at,
        "version": report.version or 1,
        "reason": report.reason or "",
        "replaces": replaces,
        "verify_at": f"{_typed_address(base_url)}/verify",
    }


def headings(stored: str) -> dict[str, str]:
    """Headings other than the language's own, by section, as ``Report.headings`` keeps them."""
    given = json.loads(stored) if stored else {}
    return {section.value: str(given.get(section.value) or "") for section in Section}


def access(paper: Paper, base_url: str, *, with_password: bool) -> dict[str, Any]:
    """The access block, and its holder where one was written down. The password stands there where the policy asks
    for it, or on demand."""
    policy = Policy(paper.grant.policy)
    # "!p" opens the password field of the landing page; the password itself never stands in a QR.
    marker = "!p" if policy.asks_password else ""
    return {
        "code": paper.code.grouped,
        "password": paper.password.grouped if policy.asks_password or with_password else None,
        "asks_birth_date": policy.asks_birth_date,
        "address": _typed_address(base_url),
        "qr": qr.svg(f"{base_url}/#{paper.code.symbols}{marker}"),
        "expires": paper.grant.expires_at.date() if paper.grant.expires_at else None,
        "holder": paper.grant.label,
    }


def sample_access(base_url: str) -> dict[str, Any]:
    """An access block that opens nothing."""
    return {
        "code": "0000-0000-0000",
        "password": None,
        "asks_birth_date": True,
        "address": _typed_address(base_url),
        "qr": qr.svg(base_url),
        "holder": "",
        "opened": None,
    }


def check(shown: Any) -> None:
    """A context, or a whole page. Raises GlyphsMissing."""
    if missing := fonts.missing("".join(_texts(shown))):
        raise GlyphsMissing(missing)


def _typed_address(base_url: str) -> str:
    """What a person types: the address without its scheme."""
    parts = urlsplit(base_url)
    return f"{parts.netloc}{parts.path}"


def _texts(value: Any) -> list[str]:
    """Every text in a context, but the logo's data."""
    if isinstance(value, str):
        return [] if value.startswith("data:") else [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return []
