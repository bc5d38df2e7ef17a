"""Recovery codes as they are shown and typed."""

from __future__ import annotations

import pytest

from app.domain import recovery_code

pytestmark = pytest.mark.no_database


def test_a_code_has_eighty_random_bits() -> None:
    made = {recovery_code.fresh() for _ in range(100)}
    assert len(made) == 100
    assert all(recovery_code.read(recovery_code.grouped(one)) == one for one in made)


@pytest.mark.parametrize(
    "typed",
    ["0123-4567-89AB-CDEF", "0123456789abcdef", " o l23 4567\t89ab–cdef", "０１２３４５６７８９ＡＢＣＤＥＦ"],
)
def test_it_is_read_as_people_type_it(typed: str) -> None:
    assert recovery_code.read(typed) == "0123456789ABCDEF"


@pytest.mark.parametrize(
    "typed", ["", "0123456789ABCDE", "0123456789ABCDEF0", "U" * 16, "é" * 16, "\x00", "x" * 9999]
)
def test_all_else_is_none(typed: str) -> None:
    assert recovery_code.read(typed) is None
