"""The audit trail as a file: JSON lines or CSV, a line at a time, the same from the pages and the command line.

The last line says that it is the last, and how many rows there were: a file without it is not complete. JSON lines
keep every value as it is; in CSV a text that a spreadsheet would reckon has an apostrophe before it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from app.services.audit_search import Entry

COLUMNS = ("row", "at", "event", "actor", "address", "grant", "study", "details", "mac")
END = "end"
# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"): at the beginning of a text, and
# after what some take for the end of a cell.
FORMULA = re.compile(r"(^|[;\t\r\n])(?=[=+\-@\t\r\n＝＋－＠])")


class Style(StrEnum):
    JSON_LINES = "jsonl"
    CSV = "csv"


def lines(entries: Iterable[Entry], style: Style) -> Iterator[str]:
    """The file's lines, each with its line end."""
    return _csv(entries) if style is Style.CSV else _json_lines(entries)


def _json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    rows = 0
    for entry in entries:
        yield json.dumps(_values(entry), ensure_ascii=False) + "\n"
        rows += 1
    yield json.dumps({END: True, "rows": rows}) + "\n"


def _csv(entries: Iterable[Entry]) -> Iterator[str]:
    line = _Line()
    # Everything in quotes: where cells end at a semicolon, a text with one still is one cell.
    writer = csv.writer(line, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    yield line.text
    rows = 0
    for entry in entries:
        values = _values(entry) | {"details": json.dumps(entry.details, ensure_ascii=False)}
        writer.writerow([_cell(value) for value in values.values()])
        yield line.text
        rows += 1
    writer.writerow([END, f"{rows} rows", *("" for _ in COLUMNS[2:])])
    yield line.text


class _Line:
    """What csv writes to: keeps the line written last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _values(entry: Entry) -> dict[str, object]:
    at = entry.at.isoformat(timespec="microseconds")
    named = (entry.row_id, at, entry.event, entry.actor, entry.address, entry.grant, entry.study)
    return dict(zip(COLUMNS, (*named, entry.details, entry.mac.hex()), strict=True))


def _cell(value: object) -> str:
    """A text that a spreadsheet shows and doesn't reckon."""
    return "" if value is None else FORMULA.sub(r"\1'", str(value))
