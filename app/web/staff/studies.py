"""The list of stable studies: where a radiologist starts. Searching, the next page, and what is new since.

A search comes as POST and answers with the address of its page, in which the text is sealed (``list_query``): Back, a
bookmark and a second tab work as with any page.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.services.worklist import Page
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.staff import list_query
from app.web.staff.list_query import Query

blueprint = Blueprint("staff_studies", __name__, url_prefix="/staff")


@blueprint.get("/")
@allow(Who.STAFF, Act.SEE)
def worklist() -> ResponseReturnValue:
    query, before = list_query.from_address(request.args), _before()
    page = _page(query, before)
    parameters = query.parameters
    return render_template(
        "staff/worklist.html",
        staff=access.staff(),
        query=query,
        parameters=parameters,
        page=page,
        rows=page.rows,
        before=before,
        more=url_for("staff_studies.worklist", **parameters, before=page.next_before)
        if page.next_before
        else None,
        news=url_for("staff_studies.news", **parameters, before=before),
        states=list_query.states(),
        days=list_query.days(),
        modalities=list_query.modalities(),
        done=request.args.get("done", ""),
        count=request.args.get("count", 0, type=int),
        several_archives=len(services().settings.archives) > 1,
        open_archives=services().archives.open_ones(),
    )


@blueprint.post("/search")
@allow(Who.STAFF, Act.SEE)
def search() -> ResponseReturnValue:
    return redirect(url_for("staff_studies.worklist", **list_query.from_form(request.form).parameters), 303)


@blueprint.get("/news")
@allow(Who.STAFF, Act.SEE, is_poll=True)
def news() -> ResponseReturnValue:
    """The rows of a page as they are now; 204 while they are those of ``digest``."""
    page = _page(list_query.from_address(request.args), _before())
    if page.digest == request.args.get("digest"):
        return "", 204
    return render_template(
        "staff/worklist_news.html",
        page=page,
        rows=page.rows,
        several_archives=len(services().settings.archives) > 1,
    )


def _page(query: Query, before: int | None) -> Page:
    return services().worklist.page(query.wanted, before=before, at=services().clock())


def _before() -> int | None:
    number = request.args.get("before", type=int)
    return number if number is not None and number > 0 else None
