"""A report reads as it was typed: no mark, no sign and no figure changes on the way to the page."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.adapters import formatted
from app.domain.formatting import Items, Paragraph, Run, blocks, direction, plain, shown, tidied

TAGS = {"p", "br", "strong", "ul", "li"}


class Reader(HTMLParser):
    """What a person sees of the HTML, a list's items with their dash; notes every element and attribute."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = ""
        self.elements: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= set(attrs)
        if tag in ("p", "br", "li"):
            self.seen += "\n" + ("- " if tag == "li" else "")

    def handle_data(self, data: str) -> None:
        self.seen += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(str(formatted.html(text)))
    reader.close()
    return reader


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


hostile = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "**",
                "*",
                "***",
                "- ",
                "-5",
                "\n",
                "\n\n",
                "\r\n",
                "\r",
                " ",
                "\t",
                "3*4*5 mm",
                "2**3",
                "1.",
                "3. Liver",
                "#2",
            ]
            + [
                "<script>alert(1)</script>",
                "<p dir=rtl>",
                "</p>",
                "<ul><li>",
                "&lt;",
                "&amp;",
                "&#0;",
                "<!--",
                "]]>",
                "<style>",
            ]
            + [
                "\x00",
                "\x0b",
                "\x1f",
                "\x7f",
                "\x85",
                "\u2028",
                "\u202e",
                "\u202d",
                "\u2066",
                "\u200b",
                "\ufeff",
                "\ue000",
                "\ue001",
            ]
            + [
                "\ud800",
                "\uffff",
                "\u0301",
                "א",
                "قباني",
                "山田",
                "é",
                '"',
                "'",
                "{{ 7 }}",
                "%(x)s",
                "\\",
                "`",
            ]
        ),
        st.text(max_size=20),
    ),
    max_size=40,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(hostile)
@example("**a **b** c**")
@example("- \n-\n- - x\n-  y")
def test_what_is_seen_is_what_was_typed_without_the_marks(text: str) -> None:
    reader = read(text)

    assert lines(reader.seen) == lines(plain(text))
    assert reader.elements <= TAGS
    assert reader.attributes <= {("dir", "ltr"), ("dir", "rtl")}


@settings(max_examples=400, deadline=None)
@given(hostile)
def test_only_pairs_of_stars_and_what_nobody_sees_are_left_out(text: str) -> None:
    marks = (len(shown(text)) - len(plain(text))) // 2

    assert marks % 2 == 0 and len(shown(text)) - len(plain(text)) == 2 * marks
    assert plain(text).replace("*", "") == shown(text).replace("*", "")
    assert re.findall(r"[-+]?\d+", plain(text).replace("*", "|")) == re.findall(
        r"[-+]?\d+", re.sub(r"\*\*(?!\*)|\*", "|", shown(text))
    )


@pytest.mark.parametrize(
    "typed",
    [
        "3*4*5 mm",
        "3. Liver",
        "-5 HU",
        "2**3 and 4**5",
        "10 **5",
        "** see note",
        "a ** b ** c",
        "***",
        "****",
        "x_1_2",
        "# 2",
        "1) a",
    ]
    + [
        "+ 3",
        "* 3 mm",
        "5 > 3",
        "`x`",
        "[1](2)",
        "~~3~~",
        "**3",
        "3**",
        "- ",
        "-",
        "12**34**56",
        "**a**3",
        "***a***",
        "\\*3\\*",
    ],
)
def test_figures_and_lone_marks_stay_as_typed(typed: str) -> None:
    assert plain(typed) == typed
    assert "<strong>" not in formatted.html(typed) and "<ul>" not in formatted.html(typed)
    assert lines(read(typed).seen) == [typed]


def test_bold_print_and_lists_are_the_two_marks() -> None:
    assert list(blocks("**Liver:** normal\nsecond line\n- a\n- **b**, c\n\n(**-5 HU**)")) == [
        Paragraph(((Run("Liver:", is_strong=True), Run(" normal")), (Run("second line"),))),
        Items(((Run("a"),), (Run("b", is_strong=True), Run(", c")))),
        Paragraph(((Run("("), Run("-5 HU", is_strong=True), Run(")")),)),
    ]
    assert plain("**Liver:** normal\n- a") == "Liver: normal\n- a"


def test_bold_print_does_not_reach_over_a_line() -> None:
    assert "<strong>" not in formatted.html("**a\nb**")


def test_a_script_without_spaces_has_bold_print_too() -> None:
    assert "<strong>重要</strong>" in formatted.html("これは**重要**です")


def test_each_paragraph_and_item_has_its_own_direction() -> None:
    html = formatted.html("Liver\n\nالكبد 12*4 mm\n- א\n- 5 b")

    assert re.findall('<(?:p|li) dir="(...)">', html) == ["ltr", "rtl", "rtl", "ltr"]
    assert direction("12 – الكبد") == "rtl"


def test_a_direction_override_turns_no_figure_round() -> None:
    assert read("\u202e12 mm").seen.strip() == "12 mm"


def test_kept_text_has_no_spaces_around_and_no_controls() -> None:
    assert tidied("\r\n  a \x00 \r\n- b\t\n\n") == "  a\n- b"


@pytest.mark.parametrize(
    "text", ["*" * 100_000, "- " * 50_000, "** " * 33_000, "\n" * 100_000, "<" * 100_000, "1" * 100_000]
)
def test_a_long_text_takes_no_time(text: str) -> None:
    began = time.thread_time()
    formatted.html(text)
    assert time.thread_time() - began < 0.1


@pytest.mark.parametrize(
    "piece", ["- x\n", "**a** ", "**a ", "a** ", "a\n\n", "**\n", "\u202e**", "- **a**\n"]
)
def test_time_grows_with_the_length_and_not_faster(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.thread_time()
    formatted.html(text)
    assert time.thread_time() - began < 1
