"""All rules for DICOM tags: fifty a page, newest first, searched by name or value, and those that match no study.

A search comes as POST and answers with the address of its page, in which the text is sealed.
"""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.services.worklist import LARGEST_ID
from app.web import access, sealed
from app.web.access import Who, allow
from app.web.context import services
from app.web.staff.rules import blueprint, described


@blueprint.get("")
@allow(Who.STAFF, Act.SETTINGS)
def everything() -> ResponseReturnValue:
    now, before = services().clock(), request.args.get("before", type=int)
    ended, idle = "ended" in request.args, "idle" in request.args
    text = sealed.unseal(request.args.get("q", ""))
    page = services().rule_list.page(
        ended=ended, idle=idle, text=text, before=min(before, LARGEST_ID) if before else None, at=now
    )
    here: dict[str, Any] = {
        "q": sealed.seal(text) or None,
        "ended": "1" if ended else None,
        "idle": "1" if idle else None,
    }
    return render_template(
        "staff/rules/list.html",
        staff=access.staff(),
        rows=[described(row) for row in page.rows],
        ended=ended,
        idle=idle,
        text=text,
        is_first=before is None,
        has_ended_ones=services().rule_list.has_ended_ones(),
        idle_ones=services().rule_list.idle_ones(),
        more=url_for("staff_rules.everything", **here, before=page.next_before) if page.next_before else None,
        open_archives=services().archives.open_ones(),
    )


@blueprint.post("")
@allow(Who.STAFF, Act.SETTINGS)
def find() -> ResponseReturnValue:
    text = sealed.typed(request.form.get("q", ""))
    return redirect(url_for("staff_rules.everything", q=sealed.seal(text) or None), 303)
