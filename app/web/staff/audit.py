"""The audit trail for auditors: looking through it, writing it out, checking that it is whole."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.domain.audit_chain import Head
from app.domain.dicom import clean_text
from app.domain.events import Event
from app.domain.staff import Act
from app.models import TagRule
from app.services import audit_verification
from app.services.audit_export import Style, lines
from app.services.audit_search import LARGEST_ID, NamedStudy, Wish
from app.services.audit_verification import Finding, Walk
from app.web import access, audit_texts
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _

blueprint = Blueprint("staff_audit", __name__, url_prefix="/staff/audit")

BLOCK = 200  # lines sent at a time
FIELDS = ("what", "who", "study", "grant", "rule", "from", "to", "address")


@dataclass
class Asked:
    """A filter as it was typed, what it means, and what is wrong with it (by field). ``grant_id``: of the one grant, or
    of the one rule's code of today, that it names."""

    typed: dict[str, str]
    wish: Wish = field(default_factory=Wish)
    studies: list[NamedStudy] = field(default_factory=list)
    rules: list[TagRule] = field(default_factory=list)
    grant_id: int | None = None
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def link(self) -> dict[str, Any]:
        """The filter as parameters of an address."""
        return {name: value for name, value in self.typed.items() if value}


@blueprint.get("")
@allow(Who.STAFF, Act.AUDIT)
def show() -> ResponseReturnValue:
    return _page(_asked(request.args))


@blueprint.post("/export")
@allow(Who.STAFF, Act.AUDIT)
def export() -> ResponseReturnValue:
    """The rows that the filter finds, oldest first. That they are written out is on record before the first byte."""
    asked = _asked(request.form)
    if asked.problems:
        return _page(asked)
    style = Style.CSV if request.form.get("style") == Style.CSV else Style.JSON_LINES
    now = services().clock()
    services().audit.record(
        Event.AUDIT_EXPORTED,
        at=now,
        actor=access.actor(),
        address=caller_address(),
        grant_id=asked.grant_id,
        study_id=asked.studies[0].id if len(asked.studies) == 1 else None,
        style=style.value,
        filter=asked.link,
    )
    entries = services().audit_search.entries(asked.wish, up_to=services().trail.head().row_id)
    response = Response(_bytes(lines(entries, style), style), mimetype=_TYPES[style])
    name = f"studykey-audit-{asked.typed['from'] or 'begin'}-{asked.typed['to'] or _today()}.{style.value}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@blueprint.post("/verify")
@allow(Who.STAFF, Act.AUDIT)
def verify() -> ResponseReturnValue:
    """Check the trail: all of it, or the next step for the page's script, which brings the walk back."""
    by, now, crypto = access.actor(), services().clock(), services().crypto
    try:
        outside = [Head.parse(text) for text in [request.form.get("head", "")] if text.strip()]
    except ValueError:
        problem = _("A head looks like 4711:0a1b…: copy all of it.")
        return _page(_asked(MultiDict()), head_problem=problem)
    checks = services().audit_verification
    walk_text = request.form.get("walk")
    if walk_text is None:  # without the script
        walk = checks.begin()
        while not walk.is_done:
            checks.go_on(walk)
        _conclude(walk, outside)
        return redirect(url_for("staff_audit.show", _anchor="whole"), 303)
    walk_found = (
        audit_verification.unsigned(walk_text, crypto, by=by, at=now) if walk_text else checks.begin()
    )
    if walk_found is None:
        return {"gone": True}, 409
    checks.go_on(walk_found)
    if walk_found.is_done:
        _conclude(walk_found, outside)
        return {"done": True}
    done, rows = walk_found.result.checked, services().trail.size()
    signed = audit_verification.signed(walk_found, crypto, by=by, at=now)
    text = _("%(done)s of %(rows)s rows checked", done=f"{done:,}", rows=f"{rows:,}")
    return {"done": False, "checked": done, "rows": rows, "text": text, "walk": signed}


def _conclude(walk: Walk, outside: list[Head]) -> None:
    """The ends, the heads kept outside, and the result on record."""
    with suppress(OSError, ValueError):  # a file that can't be read shows beside the result
        outside = [*outside, *([kept] if (kept := services().trail.kept_head()) else [])]
    result = services().audit_verification.finish(walk, outside)
    services().audit.record(
        Event.AUDIT_VERIFIED,
        at=services().clock(),
        actor=access.actor(),
        address=caller_address(),
        rows=result.checked,
        unchained=result.unchained,
        head=str(result.head),
        heads_outside=len(outside),
        outcome="broken" if result.findings else "whole",
        findings=[[one.row_id, one.fault.value, one.first, one.last, one.kid] for one in result.findings],
    )


def _page(asked: Asked, *, head_problem: str = "") -> Response:
    search = services().audit_search
    before = request.args.get("before", type=int)
    page = None
    if not asked.problems:
        page = search.page(asked.wish, before=min(before, LARGEST_ID) if before is not None else None)
    people = search.people()
    last = search.last_verification()
    body = render_template(
        "staff/audit.html",
        staff=access.staff(),
        asked=asked,
        typed=asked.typed,
        groups=audit_texts.groups(),
        kinds=audit_texts.kinds(),
        whos=[*audit_texts.others(), *people.items()],
        archives=[f"archive:{name}" for name in search.archives()],
        rows=[audit_texts.row(entry, people, _zone()) for entry in page.entries] if page else [],
        page=page,
        older=url_for("staff_audit.show", **asked.link, before=page.before) if page and page.before else None,
        is_first_page=before is None,
        state=services().trail.state(),
        verified=_verified(last.details, last.at, last.actor, people) if last else None,
        head_problem=head_problem,
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, 422 if asked.problems or head_problem else 200)


def _verified(details: dict[str, Any], at: datetime, actor: str, people: dict[str, str]) -> dict[str, Any]:
    """The last verification as its row tells it."""
    findings = [
        Finding(row_id, audit_verification.Fault(fault), first, last, kid)
        for row_id, fault, first, last, kid in details.get("findings", [])
    ]
    return {
        "at": at,
        "by": audit_texts.actor(actor, people),
        "is_whole": details.get("outcome") == "whole",
        "rows": details.get("rows", 0),
        "unchained": details.get("unchained", 0),
        "heads_outside": details.get("heads_outside", 0),
        "head": details.get("head", ""),
        "findings": [(one.row_id, audit_texts.finding(one)) for one in findings],
    }


def _asked(form: MultiDict[str, str]) -> Asked:
    """A filter out of a form or an address."""
    asked = Asked({name: clean_text(form.get(name, ""))[:100] for name in FIELDS})
    typed, problems, search = asked.typed, asked.problems, services().audit_search
    events = audit_texts.events_of(typed["what"])
    if events is None:
        problems["what"] = _("Choose one from the list.")
    study_ids, grant_ids = None, None
    if typed["study"]:
        asked.studies = search.studies(typed["study"], at=services().clock())
        study_ids = tuple(study.id for study in asked.studies)
        if not study_ids:
            problems["study"] = _("There is no study with this number, accession number or StudyInstanceUID.")
    if typed["grant"]:
        grant = services().grants.by_ref(typed["grant"])
        if grant is None:
            problems["grant"] = _("There is no access with this number.")
        else:
            asked.grant_id, grant_ids = grant.id, {grant.id}
    if typed["rule"]:
        asked.rules = services().rule_codes.named(typed["rule"])
        if not asked.rules:
            problems["rule"] = _("There is no rule with this name or number.")
        elif len(asked.rules) == 1 and grant_ids is None:
            asked.grant_id = asked.rules[0].grant_id
        of_rules = {one for rule in asked.rules for one in services().rule_codes.of(rule)}
        grant_ids = of_rules if grant_ids is None else grant_ids & of_rules
    since, until = _day(typed["from"]), _day(typed["to"])
    for name, day in (("from", since), ("to", until)):
        if typed[name] and day is None:
            problems[name] = _("Give the day as year-month-day, like 2026-11-20.")
    asked.wish = Wish(
        events=events or frozenset(),
        actors=search.actors(typed["who"]),
        study_ids=study_ids,
        grant_ids=tuple(sorted(grant_ids)) if grant_ids is not None else None,
        address=_address(typed["address"]),
        since=_midnight(since) if since else None,
        until=_midnight(until + timedelta(days=1)) if until else None,
    )
    return asked


def _address(text: str) -> str:
    with suppress(ValueError):
        return str(ipaddress.ip_address(text))
    return text  # no address: it finds nothing


def _day(text: str) -> date | None:
    with suppress(ValueError):
        day = date.fromisoformat(text)
        if 1970 <= day.year < 9999:
            return day
    return None


def _midnight(day: date) -> datetime:
    """When a day of the clinic begins."""
    return datetime.combine(day, time(), _zone()).astimezone(UTC)


def _zone() -> ZoneInfo:
    return ZoneInfo(services().settings.time_zone)


def _today() -> str:
    return services().clock().astimezone(_zone()).date().isoformat()


_TYPES = {Style.CSV: "text/csv", Style.JSON_LINES: "application/jsonl"}


def _bytes(told: Iterator[str], style: Style) -> Iterator[bytes]:
    if style is Style.CSV:
        yield b"\xef\xbb\xbf"  # or spreadsheets take UTF-8 for something else
    while block := list(islice(told, BLOCK)):
        yield "".join(block).encode()
