"""Text blocks as tables to edit: a writer's own under their account; report_settings has the clinic's.

A page shows some rows of many; what is saved are the rows that it showed, all or none, and a row that was left alone
keeps what somebody else has made of it meanwhile.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.staff import Act
from app.models import Staff, TextBlock
from app.services.text_blocks import LONGEST_TEXT, BlocksUnusable, Change, Saved, folded, version
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _

blueprint = Blueprint("staff_text_blocks", __name__, url_prefix="/staff/account/text-blocks")

ROWS, NEW_ROWS = 40, 3
LONGEST_FIND = 100
# Bytes: the rows of a page in a script of two bytes a letter, six in a form.
LARGEST = (ROWS + NEW_ROWS) * LONGEST_TEXT * 6 + 64 * 1024


@blueprint.get("")
@allow(Who.STAFF, Act.WRITE)
def show() -> ResponseReturnValue:
    return page(access.staff())


@blueprint.post("")
@allow(Who.STAFF, Act.WRITE, changes=True)
def save() -> ResponseReturnValue:
    return save_rows(access.staff())


@blueprint.post("/paste")
@allow(Who.STAFF, Act.WRITE, changes=True)
def paste() -> ResponseReturnValue:
    return paste_lines(access.staff())


def save_rows(owner: Staff | None) -> Response:
    """Save what the page's rows say. ``owner`` None: the clinic's blocks."""
    form, keys = request.form, _keys()
    changes = [
        Change(
            int(key) if key.isdecimal() else None,
            form.get(f"letters-{key}", ""),
            form.get(f"text-{key}", ""),
            seen=form.get(f"seen-{key}", ""),
            is_deleted=f"delete-{key}" in form,
        )
        for key in keys
    ]
    try:
        saved = services().text_blocks.save(owner, changes, at=services().clock(), actor=access.actor())
    except BlocksUnusable as unusable:
        problems = {
            f"{field}-{keys[place]}": _(problem.text, **problem.values)
            for (place, field), problem in unusable.problems.items()
        }
        return page(owner, rows=_typed(owner, keys, changes), problems=problems, status=422)
    return _done(owner, saved)


def paste_lines(owner: Staff | None) -> Response:
    """Take blocks from a pasted table."""
    lines, replaces = request.form.get("lines", ""), "replaces" in request.form
    try:
        saved = services().text_blocks.paste(
            owner, lines, replaces=replaces, at=services().clock(), actor=access.actor()
        )
    except BlocksUnusable as unusable:
        said = [
            _("Row %(row)s: %(what)s", row=place + 1, what=_(problem.text, **problem.values))
            for (place, _field), problem in sorted(unusable.problems.items(), key=lambda one: one[0])
        ]
        return page(owner, problems={"lines": " ".join(said[:5])}, lines=lines, status=422)
    return _done(owner, saved)


def page(
    owner: Staff | None,
    *,
    rows: list[dict[str, str]] | None = None,
    problems: dict[str, str] | None = None,
    lines: str = "",
    status: int = 200,
) -> Response:
    find = request.args.get("find", "").strip()[:LONGEST_FIND]
    owned = services().text_blocks.owned(owner)
    found = [block for block in owned if _fits(block, find)]
    pages = max(1, -(-len(found) // ROWS))
    number = min(max(1, request.args.get("page", 1, type=int)), pages)
    shared = {} if owner is None else {block.letters for block in services().text_blocks.owned(None)}
    body = render_template(
        "staff/settings/text_blocks.html" if owner is None else "staff/text_blocks.html",
        staff=access.staff(),
        section="reports",
        here="staff_settings_reports.text_blocks" if owner is None else "staff_text_blocks.show",
        to_save="staff_settings_reports.save_text_blocks" if owner is None else "staff_text_blocks.save",
        to_paste="staff_settings_reports.paste_text_blocks" if owner is None else "staff_text_blocks.paste",
        rows=rows or [_row(block) for block in found[(number - 1) * ROWS : number * ROWS]],
        new_rows=[] if rows else [f"new{place}" for place in range(NEW_ROWS)],
        shared=shared,
        count=len(owned),
        found=len(found),
        find=find,
        number=number,
        pages=pages,
        problems=problems or {},
        theirs={},
        changed=_effects(),
        lines=lines,
        longest=LONGEST_TEXT,
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)


def _keys() -> list[str]:
    """The rows of the form: ids of blocks, and names of rows for new ones."""
    known = [key for key in request.form.getlist("row") if key.isascii() and key.isalnum() and len(key) < 19]
    return list(dict.fromkeys(known))[: ROWS + NEW_ROWS]


def _row(block: TextBlock) -> dict[str, str]:
    return {
        "key": str(block.id),
        "letters": block.letters,
        "text": block.text,
        "seen": version(block.letters, block.text),
    }


def _typed(owner: Staff | None, keys: list[str], changes: list[Change]) -> list[dict[str, str]]:
    """The rows as they were typed. What they have seen is what stands there now: the page says what that is."""
    now = {block.id: _row(block)["seen"] for block in services().text_blocks.owned(owner)}
    return [
        {
            "key": key,
            "letters": change.letters,
            "text": change.text,
            "seen": now.get(change.block_id or 0, "") if not key.startswith("new") else "",
            "is_deleted": "yes" if change.is_deleted else "",
        }
        for key, change in zip(keys, changes, strict=True)
    ]


def _fits(block: TextBlock, find: str) -> bool:
    return block.letters.startswith(folded(find)) or find.casefold() in block.text.casefold()


def _done(owner: Staff | None, saved: Saved) -> Response:
    counts = (len(saved.added), len(saved.changed), len(saved.deleted), len(saved.kept))
    where = "staff_settings_reports.text_blocks" if owner is None else "staff_text_blocks.show"
    more: dict[str, Any] = {name: request.args[name] for name in ("find", "page") if name in request.args}
    return redirect(url_for(where, done="-".join(map(str, counts)), **more), 303)


def _effects() -> list[str]:
    """What was just done, in sentences."""
    counts = [int(part) for part in request.args.get("done", "").split("-") if part.isdecimal()][:4]
    if len(counts) < 4:
        return []
    added, changed, deleted, kept = counts
    said = [
        _("Blocks added: %(number)s.", number=added) if added else "",
        _("Blocks changed: %(number)s.", number=changed) if changed else "",
        _("Blocks deleted: %(number)s. Reports keep the words that they brought.", number=deleted)
        if deleted
        else "",
        _("Left as they were, since their letters exist already: %(number)s.", number=kept) if kept else "",
    ]
    return [sentence for sentence in said if sentence] or [_("Nothing was changed.")]
