"""What a report is made of, in values that services, pages and paper share."""

from __future__ import annotations

from enum import StrEnum

LARGEST_PDF = 20 * 1024 * 1024  # bytes of a PDF that is brought
MOST_PAGES = 100


class Section(StrEnum):
    """The parts of a written report, in the order in which they are read."""

    INDICATION = "indication"
    TECHNIQUE = "technique"
    FINDINGS = "findings"
    IMPRESSION = "impression"


class Source(StrEnum):
    """How a version came to be."""

    WRITTEN = "written"
    BROUGHT = "brought"  # a PDF from elsewhere, signed for here


class FilePurpose(StrEnum):
    """What a PDF in the database is to its report."""

    BROUGHT = "brought"  # as it came
    SIGNED = "signed"  # a written report as it was signed, without access block


class Copy(StrEnum):
    """What a PDF that left Studykey was made for."""

    PRINTED = "printed"
    ARCHIVE = "archive"
    DOWNLOAD = "download"
