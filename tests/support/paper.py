"""Looking at paper: a PDF as page images, and its QR read as a phone reads it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import zxingcpp
from PIL import Image


def pages(pdf: bytes, *, dpi: int = 150) -> list[Image.Image]:
    """The pages as a printer at ``dpi`` would put them on paper."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "paper.pdf").write_bytes(pdf)
        subprocess.run(
            ["pdftoppm", "-cropbox", "-r", str(dpi), folder / "paper.pdf", folder / "page"],
            check=True,
        )
        return [Image.open(file).copy() for file in sorted(folder.glob("page*.ppm"))]


def scan(page: Image.Image) -> str:
    """What a phone's camera finds in the QR of a page."""
    (found,) = codes(page)
    text: str = found.text
    return text


def codes(page: Image.Image) -> list[Any]:
    """All QR codes of a page, with where they stand (``position``, in dots)."""
    return list(zxingcpp.read_barcodes(page, formats=zxingcpp.BarcodeFormat.QRCode))


def text(pdf: bytes) -> str:
    return subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
