"""What a study's tags, and a rule's values, are found by: digests that are equal where the names are the same.

Eight bytes a key: a million studies have five million of them. That two different names share one happens once in
some trillion pairs, so whatever the index finds is compared once more in full (``Wanted.matches``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from app.domain import tag_match
from app.domain.tag_match import How
from app.models import Study, TagRule

# Tags that every study is found by, and how their values are compared.
NAMES = {
    "ReferringPhysicianName": "referring_physician",
    "PerformingPhysicianName": "performing_physician",
    "NameOfPhysiciansReadingStudy": "reading_physicians",
}
PLACES = {
    "InstitutionName": "institution_name",
    "ResponsibleOrganization": "responsible_organization",
}
_COLUMNS = NAMES | PLACES
_NORMAL = dict.fromkeys(NAMES, How.NAME) | dict.fromkeys(PLACES, How.WORDS)


@dataclass(frozen=True)
class Wanted:
    """What a rule asks for."""

    tag: str
    how: How
    values: tuple[str, ...]

    @classmethod
    def of(cls, rule: TagRule) -> Wanted:
        return cls(rule.tag, How(rule.how), tuple(json.loads(rule.wanted)))

    def keys(self) -> set[int]:
        """By which an index finds the studies that can match."""
        by = self._indexed_by
        if by is self.how:
            found = (key for value in self.values for key in tag_match.rule_keys(value, by))
        else:  # exactly this: found by its spellings, then compared
            found = (key for value in self.values for key in tag_match.keys(value, by))
        return {digest(self.tag, key) for key in found}

    def matches(self, study: Study) -> bool:
        """Whether a study's tag, as it is now, is one of the values."""
        return bool(self.matching(study))

    def matching(self, study: Study) -> list[str]:
        """The values of a study's tag, as it is now, that match."""
        return self.matching_in(tag_text(study, self.tag))

    def matching_in(self, text: str) -> list[str]:
        """The values of such a tag that match."""
        return [
            value for value in tag_match.values(text) if not self._asked.isdisjoint(_keys(value, self.how))
        ]

    @cached_property
    def _asked(self) -> set[str]:
        return {key for value in self.values for key in tag_match.rule_keys(value, self.how)}

    @property
    def is_indexed(self) -> bool:
        """Whether what the index finds matches, without being compared once more."""
        return self._indexed_by is self.how

    @property
    def _indexed_by(self) -> How:
        return _NORMAL.get(self.tag, How.WORDS)


def of_study(study: Study) -> set[int]:
    """The keys of all tags of a study."""
    return {
        digest(tag, key)
        for tag, value in values_of(study)
        for key in _keys(value, _NORMAL.get(tag, How.WORDS))
    }


def values_of(study: Study) -> list[tuple[str, str]]:
    """Every value of every tag of a study, with its tag."""
    return [(tag, value) for tag, text in _tags(study) for value in tag_match.values(text)]


def tag_text(study: Study, tag: str) -> str:
    """The value of a tag of a study, "" where it has none."""
    return text_in(tag, getattr(study, kept_in(tag)))


def kept_in(tag: str) -> str:
    """The column of a study that has a tag."""
    return _COLUMNS.get(tag, "other_tags")


def text_in(tag: str, column: str) -> str:
    """The value of a tag in what its column has, "" where there is none."""
    return column if tag in _COLUMNS else _others(column).get(tag, "")


def digest(tag: str, key: str) -> int:
    """A key as a database keeps it: 64 bits, signed."""
    data = hashlib.blake2b(f"{tag}\0{key}".encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(data, signed=True)


def _tags(study: Study) -> Iterator[tuple[str, str]]:
    for tag, column in _COLUMNS.items():
        yield tag, getattr(study, column)
    yield from _others(study.other_tags).items()


def _others(text: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text) if text else {}
    return found


@lru_cache(maxsize=20_000)
def _keys(value: str, how: How) -> tuple[str, ...]:
    """A clinic's physicians are few, and each stands in thousands of studies."""
    return tuple(tag_match.keys(value, how))


def kept(values: Iterable[str]) -> str:
    """Values as a rule keeps them."""
    return json.dumps(list(values), ensure_ascii=False)
