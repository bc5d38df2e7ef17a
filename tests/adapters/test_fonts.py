"""Which characters the paper can show."""

from __future__ import annotations

import pytest

from app.adapters import fonts


@pytest.mark.parametrize(
    "name",
    [
        "Ana Moreno",
        "Zażółć Gęślą-Jaźń",
        "Διονυσίου Διονύσιος",
        "Люксембург Щукин",
        "山田 太郎 やまだ たろう ﾔﾏﾀﾞ ﾀﾛｳ",
        "王小東 Wáng Xiǎodōng",
        "洪 吉洞 홍길동",
        "قباني لنزار",
        "שרון דבורה",
        "Nguyễn Thị Ánh",
        "สมชาย ใจดี",
        "Люксембург Ёлкина Їжак",
        "王小东 李華 髙﨑 𠮷田",
        "K7QD-9M3X-4TBN “…” – · ’",
    ],
)
def test_names_of_all_scripts_that_we_promise_have_no_empty_boxes(name: str) -> None:
    assert fonts.missing(name) == []


def test_a_letter_and_its_accent_count_as_one() -> None:
    assert fonts.missing("Zaz\u0307o\u0301\u0142c\u0301") == []


def test_joiners_controls_and_selectors_are_not_missed() -> None:
    assert fonts.missing("a\u200cb\u200dc\u200e\u2067d\u2069\t\r\n\xad\ufe0f\u3000\x00") == []


def test_what_no_font_has_is_named_once_and_in_order() -> None:
    assert fonts.missing("a\U0010fffdb\u0378\U0010fffd") == ["\U0010fffd", "\u0378"]


def test_nothing_is_missing_from_nothing() -> None:
    assert fonts.missing("") == []
