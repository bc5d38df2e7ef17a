"""What is done to the patients' codes of several studies at once: what it would do to whom, then doing it.

Only the patient's own code of each study; what was shared with others is ended on the study's page. A code that opens
several studies counts once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.models import Grant, Study
from app.services.grants import Grants
from app.services.worklist import Worklist

MOST = 200  # studies at once


@dataclass(frozen=True)
class Held:
    """A code in force, the studies that it opens (not only those chosen), and what its holder gave on."""

    grant: Grant
    studies: list[Study]
    ends_with: list[Grant]


@dataclass(frozen=True)
class Chosen:
    """``held`` each once; ``without``: studies of those chosen that no patient's code opens."""

    studies: list[Study]
    held: list[Held]
    without: list[Study]


class Selection:
    """Works within the caller's transaction."""

    def __init__(self, worklist: Worklist, grants: Grants) -> None:
        self._worklist = worklist
        self._grants = grants

    def look(self, ids: Iterable[int], *, at: datetime) -> Chosen:
        """What stands behind these studies; at most MOST of them, unknown ones are left out."""
        studies = self._worklist.studies(list(dict.fromkeys(ids))[:MOST])
        held: dict[int, Held] = {}
        without = []
        for study in studies:
            grant = self._grants.current(study)
            if grant is None or not grant.pepper_kid:  # purged: nothing opens it ever again
                without.append(study)
            else:
                held[grant.id] = Held(grant, list(grant.studies), self._grants.ends_with(grant, at=at))
        return Chosen(studies, list(held.values()), without)

    def extend(self, ids: Iterable[int], until: datetime | None, *, at: datetime, actor: str) -> int:
        """Let the codes end later; how many now do. One that ends later already stays as it is."""
        held = self.look(ids, at=at).held
        return sum(self._grants.extend(one.grant, until, at=at, actor=actor) for one in held)

    def revoke(self, ids: Iterable[int], *, at: datetime, actor: str) -> int:
        """End the codes for good; how many there were."""
        held = self.look(ids, at=at).held
        for one in held:
            self._grants.revoke(one.grant, at=at, actor=actor)
        return len(held)
