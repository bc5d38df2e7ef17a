"""Which values of a tag could mean the same as a rule's without matching: an initial for a name, a name more or less,
one letter that differs, ue for ü. Shown to people, who decide; nothing is opened by likeness.

A preview looks through all values that a tag has had: those that share no word with the rule's are never compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.domain import tag_match

MOST_WORDS = 12  # of a name; what has more is no name


@dataclass(frozen=True)
class _Name:
    """A component group: its words as they are compared, and as they are liked."""

    form: str
    exact: list[str]  # in one order
    parts: list[str]


class Likeness:
    """To any of several values."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._by_mark: dict[tuple[str, str], list[_Name]] = defaultdict(list)
        for value in wanted:
            for name in _names(value):
                for mark in _marks(name):
                    self._by_mark[mark].append(name)

    def is_near(self, text: str) -> bool:
        """Whether a value is like one of them, and not the same."""
        return any(
            name.exact != wanted.exact and _is_near(name, wanted)
            for name in _names(text)
            for mark in _marks(name)
            for wanted in self._by_mark.get(mark, ())
        )


def _names(text: str) -> Iterator[_Name]:
    for form, parts in tag_match.groups(text).items():
        if len(parts) <= MOST_WORDS:
            yield _Name(form, sorted(parts), [_plain(word) for word in parts])


def _plain(word: str) -> str:
    """As who writes ü, and as who writes ue for it; å and aa."""
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u").replace("aa", "a")


def _marks(name: _Name) -> set[tuple[str, str]]:
    """What two that are near have at least one of in common."""
    if name.form == "a":
        return {(name.form, mark) for mark in (*name.parts, "".join(name.parts))}
    return {(name.form, mark) for mark in (name.parts[0][0], name.parts[0][-1])}


def _is_near(name: _Name, wanted: _Name) -> bool:
    parts, others = name.parts, wanted.parts
    if name.form != "a":  # family and given name in one
        one, other = parts[0], others[0]
        is_part = one.startswith(other) or other.startswith(one)
        return min(len(one), len(other)) > 1 and (is_part or (len(one) > 2 and _differ_by_one(one, other)))
    if "".join(parts) == "".join(others):  # O Brien and O'Brien
        return True
    fewer, more = sorted((sorted(parts), sorted(others)), key=len)
    left = list(more)
    inexact = 0
    for word in sorted(fewer, key=len, reverse=True):
        same = next((other for other in left if other == word), None)
        close = same or next((other for other in left if _is_close(word, other)), None)
        if close is None:
            return False
        inexact += same is None
        left.remove(close)
    # At least one whole word is the same, and of a single word it is more than an initial.
    return inexact < len(fewer) and any(len(word) > 1 for word in fewer)


def _is_close(one: str, other: str) -> bool:
    if one[0] == other[0] and 1 in (len(one), len(other)):
        return True
    return min(len(one), len(other)) > 3 and _differ_by_one(one, other)


def _differ_by_one(one: str, other: str) -> bool:
    """One letter put in, left out, or exchanged."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return True
    return (
        one[start + 1 :] == other[start + 1 :]
        or one[start:] == other[start + 1 :]
        or one[start + 1 :] == other[start:]
    )
