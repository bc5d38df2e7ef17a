"""The text of a report as HTML, for pages and for paper: paragraphs, line breaks, lists, bold print, nothing else.

Two walls. What was typed is escaped, then the whole goes through a sanitiser that knows five elements and one
attribute: a slip in the first lets nothing else through.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import nh3
from markupsafe import Markup

from app.domain.formatting import Items, Line, blocks, direction

_WALL = nh3.Cleaner(
    tags={"p", "br", "strong", "ul", "li"},
    attributes={},
    tag_attribute_values={"p": {"dir": {"ltr", "rtl"}}, "li": {"dir": {"ltr", "rtl"}}},
)


def html(text: str) -> Markup:
    """``text`` (domain.formatting) as ``<p dir>``, ``<br>``, ``<strong>``, ``<ul>`` and ``<li dir>``.

    Any text will do, "" gives "". Paragraphs and items have the direction of their first letter. No spaces stand
    between elements, so ``white-space: pre-wrap`` keeps columns and adds nothing.
    """
    return Markup(_WALL.clean("".join(_pieces(text))))  # noqa: S704 -- escaped, and the sanitiser's answer


def _pieces(text: str) -> Iterator[str]:
    for block in blocks(text):
        if isinstance(block, Items):
            items = (f"<li{_dir((line,))}>{_line(line)}</li>" for line in block.lines)
            yield f"<ul>{''.join(items)}</ul>"
        else:
            yield f"<p{_dir(block.lines)}>{'<br>'.join(map(_line, block.lines))}</p>"


def _dir(lines: tuple[Line, ...]) -> str:
    return f' dir="{direction("".join(run.text for line in lines for run in line))}"'


def _line(line: Line) -> str:
    return "".join(
        f"<strong>{escape(run.text)}</strong>" if run.is_strong else escape(run.text) for run in line
    )
