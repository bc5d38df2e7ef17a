"""A sign in the synthetic images, so that a test knows what it sees on a screen.

Owns the sign's definition as data (letters of 5 by 7 cells in the upper left of every image; on slices also a
ruler along the lower edge: two fixed ticks and a disk between them whose place tells the slice) and the two
questions a test asks of a rendered picture. Knows nothing of DICOM, viewers or browsers.

A picture is anything numpy can make a two-dimensional array of brightness 0 (black) to 255 (white) from:
``numpy.asarray(PIL.Image.open(...).convert("L"))``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]

# None of these looks like another, or like itself, when mirrored or turned.
LETTERS: dict[str, tuple[str, ...]] = {
    "F": ("#####", "#....", "#....", "####.", "#....", "#....", "#...."),
    "R": ("####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"),
    "G": (".###.", "#...#", "#....", "#.###", "#...#", "#...#", ".###."),
    "J": ("..###", "...#.", "...#.", "...#.", "...#.", "#..#.", ".##.."),
}
"""``#`` is bright, ``.`` is dark; the cells round the letter are dark too."""

# All lengths are fractions of the image's shorter side, measured from its upper left corner.
LEFT, TOP, CELL = 0.060, 0.120, 0.0235
TICKS = (0.070, 0.930)
TRACK = (0.120, 0.880)
TRACK_Y = 0.945
TICK_WIDTH, TICK_HEIGHT, DISK_RADIUS = 0.008, 0.034, 0.013

BRIGHT, DARK = 150, 105


@dataclass(frozen=True)
class Found:
    """Where a sign is in a picture: its left and top edge and the length of one cell, in pixels."""

    left: float
    top: float
    cell: float


def cells(letter: str) -> Iterator[tuple[int, int, bool]]:
    """Every cell (column, row, bright) of a letter, and of the dark border one cell wide round it."""
    rows = LETTERS[letter]
    for row in range(-1, 8):
        for column in range(-1, 6):
            inside = 0 <= row < 7 and 0 <= column < 5
            yield column, row, inside and rows[row][column] == "#"


def paint_letter(size: tuple[int, int], letter: str) -> npt.NDArray[np.bool_]:
    """A mask (rows, columns) that is true where the letter is bright."""
    mask = np.zeros(size, dtype=np.bool_)
    side = min(size)
    for column, row, bright in cells(letter):
        if bright:
            x, y = (LEFT + column * CELL) * side, (TOP + row * CELL) * side
            mask[round(y) : round(y + CELL * side), round(x) : round(x + CELL * side)] = True
    return mask


def letter_ground(size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A mask of the letter's whole field with its border, to be made dark before the letter is painted."""
    side = min(size)
    x, y, mask = (LEFT - 1.5 * CELL) * side, (TOP - 1.5 * CELL) * side, np.zeros(size, dtype=np.bool_)
    mask[max(0, round(y)) : round(y + 10 * CELL * side), max(0, round(x)) : round(x + 8 * CELL * side)] = True
    return mask


def paint_ruler(size: tuple[int, int], index: int, count: int) -> npt.NDArray[np.bool_]:
    """A mask of the ticks and of the disk of slice ``index`` (0 is the first) of ``count``."""
    side = min(size)
    y, x = np.ogrid[: size[0], : size[1]]
    u, v = (x + 0.5) / side, (y + 0.5) / side
    disk = (u - _disk_x(index, count)) ** 2 + (v - TRACK_Y) ** 2 <= DISK_RADIUS**2
    tall = abs(v - TRACK_Y) <= TICK_HEIGHT / 2
    painted: npt.NDArray[np.bool_] = disk
    for tick in TICKS:
        painted = painted | (tall & (abs(u - tick) <= TICK_WIDTH / 2))
    return painted


def _disk_x(index: int, count: int) -> float:
    return TRACK[0] + (TRACK[1] - TRACK[0]) * (index / (count - 1) if count > 1 else 0.5)


def sign_is_visible(gray: Gray, letter: str = "F") -> bool:
    """Whether the picture shows the letter upright and unmirrored, at any place and any usual size.

    Empty margins don't matter (a square image in an oblong canvas). Under 3 pixels a cell a letter
    is not seen.
    """
    return find(gray, letter) is not None


def slice_number(gray: Gray, *, count: int = 60, letter: str = "F") -> int | None:
    """The number (1 is the first) of the slice shown, of ``count``; None when it can't be read."""
    picture = np.asarray(gray)
    found = find(picture, letter)
    if found is None:
        return None
    side = found.cell / CELL
    left, top = found.left - LEFT * side, found.top - TOP * side
    # The letter gives the ruler's height to about 2 %: take the rows near it that show two ticks and a disk.
    nearby = picture[max(0, round(top + 0.92 * side)) : round(top + 0.97 * side)]
    numbers = []
    for row in nearby[:, max(0, round(left)) : round(left + side)] > BRIGHT:
        spots = _runs(row)
        if len(spots) == 3:
            first, disk, last = spots
            # Something else that is bright three times is not the ruler.
            if max(abs(first / side - TICKS[0]), abs(last / side - TICKS[1])) > 0.03:
                continue
            x = TICKS[0] + (disk - first) / (last - first) * (TICKS[1] - TICKS[0])
            numbers.append(1 + (x - TRACK[0]) / (TRACK[1] - TRACK[0]) * (count - 1))
    number = round(float(np.median(numbers))) if numbers else 0
    return number if 1 <= number <= count else None


def find(gray: Gray, letter: str) -> Found | None:
    """Search the picture for the letter; None when it isn't there.

    Every cell is looked at in its middle, for each possible size: all bright ones must be bright and all dark
    ones dark. Of the sizes and places that fit, the middle one is taken.
    """
    picture = np.asarray(gray)
    if picture.ndim != 2 or min(picture.shape) < 30:
        return None
    bright, dark = picture > BRIGHT, picture < DARK
    # Bright cells first: they rule out almost every place at once.
    wanted = sorted(cells(letter), key=lambda cell: not cell[2])
    fits: list[tuple[float, float, float]] = []
    size = 3.0
    while size * 9 <= min(picture.shape):
        column, row, _ = wanted[0]
        height, width = round(picture.shape[0] - 9 * size), round(picture.shape[1] - 7 * size)
        first = bright[round((row + 1.5) * size) :, round((column + 1.5) * size) :]
        y, x = np.nonzero(first[: max(height, 0), : max(width, 0)])
        for column, row, is_bright in wanted:
            at_y, at_x = y + round((row + 1.5) * size), x + round((column + 1.5) * size)
            keep = (bright if is_bright else dark)[at_y, at_x]
            y, x = y[keep], x[keep]
            if not len(x):
                break
        fits += [(left + size, top + size, size) for left, top in zip(x.tolist(), y.tolist(), strict=True)]
        size *= 1.04
    if not fits:
        return None
    left, top, cell = np.median(fits, axis=0).tolist()
    return Found(left, top, cell)


def _runs(row: npt.NDArray[np.bool_]) -> list[float]:
    """The middles of the runs of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
    return [float(a + b) / 2 for a, b in zip(edges[::2], edges[1::2], strict=True)]
