"""QR codes as vectors, measured for paper (ISO/IEC 18004; figures as Denso Wave recommends).

Owns version, error correction, quiet zone and module size. Knows nothing of what the text means.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import qrcode
from qrcode.constants import ERROR_CORRECT_H, ERROR_CORRECT_M, ERROR_CORRECT_Q
from qrcode.exceptions import DataOverflowError

QUIET_ZONE = 4  # modules on each side
SMALLEST_MODULE_MM = 0.5  # below it, office printers and phone cameras begin to fail
LARGEST_SIDE_MM = 40.0  # what the access block has room for


class TooLongForQr(Exception):
    """The text needs a QR code with more modules than fit on the paper at a readable size."""


@dataclass(frozen=True, repr=False)
class Qr:
    """A QR code with its quiet zone. No repr: the text in it is often a secret."""

    path: str  # data of one SVG path, in modules, the quiet zone included
    modules: int  # of one side, the quiet zone included
    side_mm: float
    title: str

    @property
    def svg(self) -> str:
        """Black on white, whatever the page's colours are; its title is the alternative text."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{self.side_mm:g}mm"'
            f' height="{self.side_mm:g}mm" viewBox="0 0 {self.modules} {self.modules}">'
            f"<title>{escape(self.title)}</title>"
            f'<rect width="{self.modules}" height="{self.modules}" fill="#fff"/>'
            f'<path fill="#000" d="{self.path}"/></svg>'
        )


def svg(text: str, *, module_mm: float = 1.0, title: str = "QR code") -> Qr:
    """``text`` with modules of ``module_mm``, less where the side would pass 40 mm.

    At error correction Q or, where that needs no more modules, H: at M, addresses of over 50 characters weren't read
    any more with 8 % of the code gone. M only for texts that wouldn't fit otherwise.
    Raises TooLongForQr rather than print modules under 0.5 mm, ValueError when asked for such.
    """
    if module_mm < SMALLEST_MODULE_MM:
        raise ValueError(f"a module of {module_mm} mm is too small to be read; 0.5 mm is the least")
    for levels in ((ERROR_CORRECT_Q, ERROR_CORRECT_H), (ERROR_CORRECT_M,)):
        try:
            matrix = _matrix(text, *levels)
        except (DataOverflowError, ValueError):  # past version 40
            continue
        modules = len(matrix)
        fitting_mm = min(module_mm, LARGEST_SIDE_MM / modules)
        if fitting_mm >= SMALLEST_MODULE_MM:
            return Qr(_path(matrix), modules=modules, side_mm=round(fitting_mm * modules, 2), title=title)
    raise TooLongForQr


def _matrix(text: str, level: int, *better: int) -> list[list[bool]]:
    """Dark or not, row by row, with the quiet zone. ``better`` levels of error correction where they cost no module.

    Raises DataOverflowError, ValueError.
    """
    code = _code(text, level)
    for level in better:
        try:
            code = _code(text, level, version=code.version)
        except (DataOverflowError, ValueError):
            break
    return [[bool(dark) for dark in row] for row in code.get_matrix()]


def _code(text: str, level: int, *, version: int | None = None) -> qrcode.QRCode[Any]:
    code: qrcode.QRCode[Any] = qrcode.QRCode(version, error_correction=level, border=QUIET_ZONE)
    code.add_data(text)
    code.make(fit=version is None)
    return code


def _path(matrix: list[list[bool]]) -> str:
    """One rectangle for each run of dark modules. One path, so that no viewer paints seams between rows."""
    pieces = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                pieces.append(f"M{x} {y}h{end - x}v1H{x}z")
            x = end + 1
    return "".join(pieces)
