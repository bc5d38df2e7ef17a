"""Pixels of the synthetic chest X-rays.

Owns one body made of ellipsoids, of which each view is the sum of the ways a ray goes through them: the two
views therefore agree with each other. Coordinates: x to the patient's left, y down, z backwards, the chest
reaching from -1 to 1. The same arguments always give the same pixels; each view carries the sign's letter.
"""

import numpy as np
import numpy.typing as npt

from app.demo.phantoms import Plane, smooth_noise
from app.demo.sign import letter_ground, paint_letter

# Centre x y z, half axes x y z, weakening of the ray per length (air of the lung takes some away again).
Ellipsoid = tuple[float, float, float, float, float, float, float]


def _body(rng: np.random.Generator, *, arms_raised: bool) -> list[Ellipsoid]:
    parts: list[Ellipsoid] = [
        (0, 0.20, 0, 0.80, 1.55, 0.60, 0.9),  # trunk
        (0, -1.05, 0.05, 0.24, 0.55, 0.24, 0.9),  # neck
        (-0.36, -0.02, 0.03, 0.31, 0.80, 0.43, -0.98),  # lungs
        (0.38, 0.02, 0.03, 0.29, 0.80, 0.43, -0.98),
        (-0.38, 0.98, -0.02, 0.36, 0.44, 0.42, 1.0),  # what stands under the diaphragm, the right side higher
        (0.38, 1.06, -0.02, 0.35, 0.44, 0.40, 1.0),
        (0.14, 0.36, -0.16, 0.27, 0.29, 0.22, 1.0),  # heart
        (0.02, 0.10, -0.12, 0.16, 0.34, 0.17, 0.85),
        (0.12, -0.30, 0.05, 0.085, 0.09, 0.14, 0.9),  # arch of the aorta
        (0.0, -0.20, 0.0, 0.11, 0.45, 0.16, 0.55),
        (0.0, -0.72, 0.06, 0.035, 0.42, 0.035, -1.4),  # windpipe
    ]
    if not arms_raised:
        parts += [(side * 0.80, -0.62, 0.08, 0.36, 0.42, 0.24, 0.7) for side in (-1, 1)]
    for level in range(14):  # vertebrae: body and spinous process
        y, wide = -1.15 + level * 0.175, 0.075 + 0.004 * level
        curve = 0.24 + 0.07 * np.sin((y + 0.4) * 1.6)
        parts += [(0, y, curve, wide, 0.068, wide, 1.5), (0, y + 0.05, curve + 0.16, 0.018, 0.06, 0.07, 1.6)]
    for side in (-1, 1):
        for _branch in range(60):  # vessels from the root of the lung outwards
            angle, reach, depth = rng.random(3)
            angle = (angle - 0.45) * 3.6
            x = 0.13 + 0.40 * reach * abs(np.cos(angle))
            y = 0.02 + 0.60 * reach * np.sin(angle)
            thick = 0.036 * (1.05 - reach) + 0.006
            parts.append((side * x, y, 0.25 * (depth - 0.5), thick, thick * 1.5, thick, 1.3))
    return parts


def _tubes(*, arms_raised: bool) -> list[tuple[npt.NDArray[np.float64], float, float]]:
    """Ribs, collar bones and breast bone as curves of points (x, y, z), with their thickness and weight."""
    curves: list[tuple[npt.NDArray[np.float64], float, float]] = []
    s = np.linspace(0, 1, 90)
    for side in (-1, 1):
        for rib in range(10):
            top, span = -0.86 + rib * 0.165, min(0.70, 0.36 + 0.075 * rib)
            angle = s * (2.6 if rib < 7 else 2.1) + 0.10
            x = side * (0.05 + span * np.sin(angle) ** 0.8)
            y = top + 0.26 * s + 0.16 * s**2 * min(1.0, rib / 4)
            curves.append((np.stack([x, y, 0.40 * np.cos(angle)]), 0.030, 0.30))
        if arms_raised:
            continue
        x = side * (0.07 + 0.62 * s)
        y = -0.79 - 0.14 * s + 0.06 * np.sin(s * 6.3)
        curves.append((np.stack([x, y, -0.30 + 0.2 * s]), 0.038, 0.45))
        x = side * (0.60 + 0.22 * s)  # edge of the shoulder blade
        curves.append((np.stack([x, -0.05 - 0.75 * s, 0.42 - 0.1 * s]), 0.022, 0.22))
    curves.append((np.stack([0 * s, -0.70 + 0.95 * s, -0.34 - 0.13 * s]), 0.05, 0.25))
    return curves


def chest_view(view: str, *, size: tuple[int, int], seed: int, letter: str = "R") -> npt.NDArray[np.uint16]:
    """A chest X-ray, view ``PA`` or ``LL`` (lateral), 12 bits, bright where dense (MONOCHROME2).

    ``size`` is (rows, columns). In the PA view the patient's left is on the picture's right, as usual.
    """
    rng = np.random.default_rng([seed, 3])
    rows, columns = size
    half = max(size) / 2 * 0.93
    y = ((np.arange(rows, dtype=np.float32) + 0.5 - rows / 2) / half)[:, None]
    x = ((np.arange(columns, dtype=np.float32) + 0.5 - columns / 2) / half)[None, :]
    across = 0 if view == "PA" else 2
    total: Plane = np.zeros(size, dtype=np.float32)
    for part in _body(rng, arms_raised=view != "PA"):
        cx, cy, ax, ay, az = part[across], part[1], part[3 + across], part[4], part[5 - across]
        inside = 1 - ((x - cx) / ax) ** 2 - ((y - cy) / ay) ** 2
        total += part[6] * 2 * az * np.sqrt(np.clip(inside, 0, None))
    total = np.clip(total, 0, None)
    for points, thick, weight in _tubes(arms_raised=view != "PA"):
        _stroke(total, points[across], points[1], thick, weight, half)
    # A detector's picture is levelled: long ways through the body don't drown the rest.
    film = 1 - np.exp(-1.15 * total)
    film = 3700 * film**1.35 + 150
    film = _blur(film, max(1, round(half / 450)))
    film *= 1 + 0.012 * smooth_noise(rng, max(size), max(2, max(size) // 120))[:rows, :columns]
    film += (14 + 10 * (film / 3700)) * rng.standard_normal(size).astype(np.float32)
    film[letter_ground(size)] *= 0.2
    film[paint_letter(size, letter)] = 4000
    return np.clip(np.rint(film), 0, 4095).astype(np.uint16)


def _stroke(
    plane: Plane,
    xs: npt.NDArray[np.float64],
    ys: npt.NDArray[np.float64],
    thick: float,
    weight: float,
    half: float,
) -> None:
    """Add a tube along a curve, denser at its edge: for each pixel the strongest of the contributions."""
    rows, columns = plane.shape
    reach = max(1, round(thick * half))
    strongest = np.zeros_like(plane)
    ball_y, ball_x = np.mgrid[-reach : reach + 1, -reach : reach + 1] / reach
    r2 = ball_x**2 + ball_y**2
    ball = (weight * (0.55 + 0.45 * r2) * np.clip((1 - r2) * 5, 0, 1)).astype(np.float32)
    steps = max(2, round(np.hypot(np.diff(xs), np.diff(ys)).sum() * half / max(1.0, reach / 8)))
    at = np.linspace(0, 1, steps)
    px = np.rint(np.interp(at, np.linspace(0, 1, len(xs)), xs) * half + columns / 2).astype(int)
    py = np.rint(np.interp(at, np.linspace(0, 1, len(ys)), ys) * half + rows / 2).astype(int)
    for cx, cy in zip(px.tolist(), py.tolist(), strict=True):
        if reach <= cx < columns - reach - 1 and reach <= cy < rows - reach - 1:
            window = strongest[cy - reach : cy + reach + 1, cx - reach : cx + reach + 1]
            np.maximum(window, ball, out=window)
    plane += strongest


def _blur(plane: Plane, radius: int) -> Plane:
    for axis in (0, 1):
        moved = [np.roll(plane, shift, axis) for shift in range(-radius, radius + 1)]
        plane = np.mean(moved, axis=0)
    return plane
