"""Text blocks: a few letters that bring words into a report. The clinic's, and each writer's own over them."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.formatting import tidied
from app.domain.modality import N_
from app.models import Staff, TextBlock
from app.services.audit import Audit
from app.services.site_rows import Unusable as Unusable

LETTERS = re.compile(r"[a-z0-9]{1,16}")
LONGEST_TEXT, MOST = 5_000, 500


@dataclass(frozen=True)
class Change:
    """What somebody wants of one block. ``block_id`` None: a new one. ``seen`` is the ``version`` of the block that
    they were shown; "": whichever it is."""

    block_id: int | None
    letters: str
    text: str
    seen: str = ""
    is_deleted: bool = False


@dataclass
class Saved:
    """What was done, by letters. ``kept`` are those that a paste left as they were."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


class BlocksUnusable(Exception):
    """Nothing was saved. By the change's place and the field ("letters", "text"): what is wrong with it."""

    def __init__(self, problems: dict[tuple[int, str], Unusable]) -> None:
        super().__init__("blocks can't be used")
        self.problems = problems


class TextBlocks:
    """Works within the caller's transaction. Where an owner is asked for, None means the clinic."""

    def __init__(self, session: Session, audit: Audit) -> None:
        self._session = session
        self._audit = audit

    def of(self, staff: Staff) -> dict[str, str]:
        """What somebody's letters bring: their own blocks over the clinic's."""
        mine = {block.letters: block.text for block in self.owned(staff)}
        return {block.letters: block.text for block in self.owned(None)} | mine

    def owned(self, owner: Staff | None) -> list[TextBlock]:
        """By letters."""
        query = select(TextBlock).where(_whose(owner)).order_by(TextBlock.letters)
        return list(self._session.scalars(query))

    def save(self, owner: Staff | None, changes: Sequence[Change], *, at: datetime, actor: str) -> Saved:
        """All of the changes, or none of them. Raises BlocksUnusable.

        What somebody else changed meanwhile stays where it was left alone here, and is a problem where it wasn't.
        """
        before = {block.id: block for block in self.owned(owner)}
        problems: dict[tuple[int, str], Unusable] = {}
        wanted = [
            change for place, change in enumerate(changes) if self._is_wanted(place, change, before, problems)
        ]
        after = {block.id: block.letters for block in before.values()}
        after |= {change.block_id: folded(change.letters) for change in wanted if change.block_id is not None}
        deleted = {change.block_id for change in wanted if change.is_deleted}
        taken = [letters for key, letters in after.items() if key not in deleted]
        taken += [folded(change.letters) for change in wanted if change.block_id is None]
        for place, change in enumerate(changes):
            if change in wanted and not change.is_deleted and taken.count(folded(change.letters)) > 1:
                problems[place, "letters"] = Unusable(N_("Another block has these letters."))
        if len(taken) > MOST:
            problems[len(changes) - 1, "letters"] = Unusable(N_("%(count)s blocks at most."), count=MOST)
        if problems:
            raise BlocksUnusable(problems)
        return self._apply(owner, wanted, before, at=at, actor=actor)

    def paste(self, owner: Staff | None, text: str, *, replaces: bool, at: datetime, actor: str) -> Saved:
        """Blocks from lines of letters, a tab and the text, as a table copies them; letters that exist already get
        the new text only where ``replaces``. All or none. Raises BlocksUnusable, its places counting lines from 0."""
        there = {block.letters: block for block in self.owned(owner)}
        changes: list[Change] = []
        kept: list[str] = []
        for line in _table(text):
            letters, words = (line + ["", ""])[:2]
            block = there.get(folded(letters))
            if block is not None and not replaces:
                kept.append(block.letters)
            changes.append(
                Change(block.id, letters, words if replaces else block.text)
                if block is not None
                else Change(None, letters, words)
            )
        saved = self.save(owner, changes, at=at, actor=actor)
        saved.kept = kept
        return saved

    def _is_wanted(
        self,
        place: int,
        change: Change,
        before: dict[int, TextBlock],
        problems: dict[tuple[int, str], Unusable],
    ) -> bool:
        """Whether it changes anything; what is wrong with it goes to ``problems``."""
        block = before.get(change.block_id) if change.block_id is not None else None
        letters, text = folded(change.letters), tidied(change.text)
        if block is None and change.block_id is not None:
            if not change.is_deleted and version(letters, text) != change.seen:
                problems[place, "letters"] = Unusable(N_("Somebody else has deleted this block meanwhile."))
            return False
        if block is None and not letters and not text:
            return False  # a row left empty
        if block is not None and not change.is_deleted:
            is_untouched = version(letters, text) == change.seen
            if is_untouched or (letters, text) == (block.letters, block.text):
                return False
        if block is not None and change.seen and change.seen != version(block.letters, block.text):
            problems[place, "text"] = Unusable(
                N_(
                    "Somebody else has changed this block meanwhile to “%(words)s”. Saving again replaces it."
                ),
                words=f"{block.letters}: {block.text}",
            )
        if change.is_deleted:
            return block is not None
        if not LETTERS.fullmatch(letters):
            problems[place, "letters"] = Unusable(N_("Give 1 to 16 of the letters a-z and the digits 0-9."))
        if not text:
            problems[place, "text"] = Unusable(N_("Give the text that these letters bring."))
        elif len(text) > LONGEST_TEXT:
            problems[place, "text"] = Unusable(
                N_("That is too long: %(number)s characters at most."), number=LONGEST_TEXT
            )
        return True

    def _apply(
        self,
        owner: Staff | None,
        wanted: Sequence[Change],
        before: dict[int, TextBlock],
        *,
        at: datetime,
        actor: str,
    ) -> Saved:
        saved = Saved()
        kept = [(change, before[change.block_id]) for change in wanted if change.block_id is not None]
        for change, block in kept:
            if change.is_deleted:
                saved.deleted.append(block.letters)
                self._session.delete(block)
            else:
                saved.changed.append(folded(change.letters))
                # Two that swap their letters may not meet on the way.
                block.letters, block.text = f"~{block.id}", tidied(change.text)
        self._session.flush()
        for change, block in kept:
            if not change.is_deleted:
                block.letters = folded(change.letters)
        for change in wanted:
            if change.block_id is None:
                saved.added.append(folded(change.letters))
                self._session.add(
                    TextBlock(
                        staff_id=owner.id if owner else None,
                        letters=folded(change.letters),
                        text=tidied(change.text),
                    )
                )
        self._session.flush()
        if owner is None and wanted:
            names = {"added": saved.added, "changed": saved.changed, "deleted": saved.deleted}
            told: dict[str, Any] = {what: ",".join(letters) for what, letters in names.items() if letters}
            self._audit.within(
                self._session, Event.SITE_CHANGED, at=at, actor=actor, setting="text blocks", **told
            )
        return saved


def folded(letters: str) -> str:
    """As they are looked up: without spaces around, lower case, wide forms made narrow."""
    return unicodedata.normalize("NFKC", letters).strip().casefold()


def version(letters: str, text: str) -> str:
    """Changes with what a block says: for telling whether somebody else has changed it."""
    return hashlib.sha256(f"{letters}\t{text}".encode()).hexdigest()[:16]


def _whose(owner: Staff | None) -> ColumnElement[bool]:
    return TextBlock.staff_id.is_(None) if owner is None else TextBlock.staff_id == owner.id


def _table(text: str) -> list[list[str]]:
    """Lines of cells, as spreadsheets copy them: a text of several lines stands in quotation marks."""
    lines = csv.reader(io.StringIO(text.replace("\r\n", "\n").replace("\x00", "")), delimiter="\t")
    try:
        return [line for line in lines if any(cell.strip() for cell in line)]
    except csv.Error:
        raise BlocksUnusable(
            {(0, "text"): Unusable(N_("That isn't a table of letters and texts."))}
        ) from None
