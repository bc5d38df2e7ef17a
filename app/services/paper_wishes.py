"""What somebody wants printed and how, what that does to the study's grant, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.adapters.pdf_files import Place


class Effect(StrEnum):
    """What printing does to the grant of a study."""

    SAME = "same"  # the code and password that were printed before
    ISSUES = "issues"  # there is none yet, or it was revoked
    REISSUES = "reissues"  # a fresh code; the old sheet stops working
    REFUSED = "refused"  # suspended: staff have to look whose study it is first


class PrintRefused(Exception):
    """Printing now would do what nobody agreed to; ``effect`` says what."""

    def __init__(self, effect: Effect) -> None:
        super().__init__(effect)
        self.effect = effect


@dataclass(frozen=True)
class Wish:
    """How somebody wants it printed. Unknown values fall back to the site's."""

    # The patient's: of sheet, label and access block. A report keeps its own.
    language: str = ""
    paper: str = ""
    with_password: bool = False
    agreed: Effect = Effect.SAME
    # Ref of the grant whose sheet was lost: a fresh one takes its place even while it could be printed again. A
    # name, not a yes, so that the same form sent twice makes one.
    replaces: str = ""
    # One of adapters.paper.LABELS: what is printed is a label of this size. Empty: a sheet.
    label: str = ""
    # Where the access block goes in a report that was made elsewhere. In a corner only where one is free.
    place: Place = Place.FRONT


@dataclass(frozen=True)
class Document:
    name: str
    pdf: bytes = field(repr=False)
