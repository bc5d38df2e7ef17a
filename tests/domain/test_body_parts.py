"""Codes of body parts become words, or nothing: never a code on a page."""

from __future__ import annotations

import pytest

from app.domain import body_parts


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("CHEST", "chest"),
        ("chest", "chest"),
        ("Thorax", "chest"),
        ("C-SPINE", "cervical spine (neck)"),
        ("CHEST_ABDOMEN_PELVIS", "chest, abdomen and pelvis"),
        ("WHOLE BODY", "whole body"),
        ("", ""),
        ("SPECIALS", ""),
        ("<b>", ""),
        ("XYZ123", ""),
    ],
)
def test_a_code_has_its_words_or_none(code: str, words: str) -> None:
    assert body_parts.part(code) == words


def test_every_code_has_words_of_its_own() -> None:
    assert len(set(body_parts.PARTS.values())) == len(body_parts.PARTS)
    assert all(code.isalpha() and code.isupper() for code in body_parts.PARTS)
    assert set(body_parts._SPELLINGS.values()) <= set(body_parts.PARTS)
    assert not set(body_parts._SPELLINGS) & set(body_parts.PARTS)
