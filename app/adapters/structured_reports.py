"""A DICOM structured report as text (PS3.3 sections A.35 and C.17.3).

Part of adapters.pdf_files_worker, loaded there. Meanings, never codes; pictures and references are left out, and
counted.
"""

import io
from typing import Any

_DEEPEST, _MOST_ITEMS, _MOST_TEXT = 30, 5_000, 90_000
# Concepts whose text is a section of ours: code value and coding scheme (PS3.16 CID 7001, LOINC).
_SECTIONS = {
    ("121060", "DCM"): "indication",  # History
    ("121062", "DCM"): "indication",  # Request
    ("121109", "DCM"): "indication",  # Indications for Procedure
    ("11329-0", "LN"): "indication",
    ("55115-0", "LN"): "indication",
    ("121064", "DCM"): "technique",  # Current Procedure Descriptions
    ("121065", "DCM"): "technique",  # Procedure Description
    ("55111-9", "LN"): "technique",
    ("121072", "DCM"): "impression",  # Impressions
    ("121073", "DCM"): "impression",
    ("121074", "DCM"): "impression",  # Recommendations
    ("121075", "DCM"): "impression",
    ("121076", "DCM"): "impression",  # Conclusions
    ("121077", "DCM"): "impression",
    ("19005-8", "LN"): "impression",
}

# What our own headings say already.
_OUR_HEADINGS = ("finding", "impression", "conclusion", "history", "indication")


def read(data: bytes) -> dict[str, Any]:
    """Texts by section. Or ``refused``: ``broken``."""
    from pydicom import dcmread

    try:
        report = dcmread(io.BytesIO(data))
        walk = _Walk()
        walk.children(report, "findings", 0)
        return {
            "texts": {name: "\n".join(lines).strip()[:_MOST_TEXT] for name, lines in walk.lines.items()},
            "left_out": walk.left_out,
            "sop_instance_uid": str(report.get("SOPInstanceUID", ""))[:64],
            "patient_id": str(report.get("PatientID", "")).strip()[:64],
            "is_verified": str(report.get("VerificationFlag", "")) == "VERIFIED",
        }
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- a hostile file can make the reader raise anything
        return {"refused": "broken"}


class _Walk:
    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {
            name: [] for name in ("indication", "technique", "findings", "impression")
        }
        self.left_out = 0
        self._items = 0

    def children(self, item: Any, section: str, depth: int) -> None:
        for child in item.get("ContentSequence", []) if depth < _DEEPEST else []:
            self._items += 1
            if self._items > _MOST_ITEMS:
                raise ValueError("too much")
            self._one(child, section, depth)

    def _one(self, item: Any, section: str, depth: int) -> None:
        relation, kind = str(item.get("RelationshipType", "")), str(item.get("ValueType", ""))
        if relation in ("HAS CONCEPT MOD", "HAS OBS CONTEXT", "HAS ACQ CONTEXT"):
            return  # who observed, in which language: what the page's head says
        concept = _concept(item)
        own = _SECTIONS.get(_code(item), section)
        meaning = "" if concept.lower().rstrip("s") in _OUR_HEADINGS else concept
        if kind == "CONTAINER":
            if meaning and item.get("ContentSequence"):
                self.lines[own] += ["", meaning]
        elif words := _words(item, kind):
            # A long text stands under its concept, a short value beside it.
            if kind == "TEXT" and (len(words) > 60 or "\n" in words or not meaning):
                self.lines[own] += ["", *([meaning] if meaning else []), words]
            else:
                self.lines[own].append(f"{meaning}: {words}" if meaning else words)
        else:
            self.left_out += 1
        self.children(item, own, depth + 1)


def _code(item: Any) -> tuple[str, str]:
    for one in item.get("ConceptNameCodeSequence", []):
        return str(one.get("CodeValue", "")), str(one.get("CodingSchemeDesignator", ""))
    return "", ""


def _meaning(codes: Any) -> str:
    return next((str(one.get("CodeMeaning", "")).strip() for one in codes), "")


def _concept(item: Any) -> str:
    return _meaning(item.get("ConceptNameCodeSequence", []))


def _words(item: Any, kind: str) -> str:
    match kind:
        case "TEXT":
            return str(item.get("TextValue", "")).replace("\r\n", "\n").replace("\r", "\n").strip()
        case "CODE":
            return _meaning(item.get("ConceptCodeSequence", []))
        case "NUM":
            for value in item.get("MeasuredValueSequence", []):
                codes = value.get("MeasurementUnitsCodeSequence", [])
                unit = next((str(one.get("CodeValue", "")) for one in codes), "")
                return f"{value.get('NumericValue', '')} {'' if unit == '1' else unit}".strip()
            return ""
        case "DATE":
            told = str(item.get("Date", ""))
            return f"{told[:4]}-{told[4:6]}-{told[6:8]}" if len(told) == 8 else told
        case "TIME":
            told = str(item.get("Time", ""))
            return f"{told[:2]}:{told[2:4]}"
        case "PNAME":
            return " ".join(part for part in str(item.get("PersonName", "")).split("^") if part)
        case _:
            return ""
