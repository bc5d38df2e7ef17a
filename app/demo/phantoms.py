"""Pixels of the synthetic slices: a chest for CT, a head for MR.

Owns shapes and brightness, nothing of DICOM. Everything is made of soft-edged ellipses in coordinates from
-1 to 1 (x to the picture's right, y down), so that any matrix size shows the same body. The same arguments
always give the same pixels. Every picture carries the sign (see sign.py). Nothing here comes from a person.
"""

import numpy as np
import numpy.typing as npt

from app.demo.sign import letter_ground, paint_letter, paint_ruler

Plane = npt.NDArray[np.floating]
AIR, LUNG, FAT, MUSCLE, BLOOD, MARROW, CORTEX, SIGN = -1000, -840, -95, 55, 160, 260, 850, 1500
"""Hounsfield units. The blood is that of an examination with contrast medium."""


class Slice:
    """A picture in the making: paint soft-edged ellipses on it, later ones over earlier ones."""

    def __init__(self, size: int, ground: float) -> None:
        line = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
        self.x, self.y = line[None, :], line[:, None]
        self.edge = 1.6 / size
        self.plane: Plane = np.full((size, size), ground, dtype=np.float32)

    def mask(self, cx: float, cy: float, a: float, b: float, tilt: float = 0.0) -> Plane:
        """How far each pixel is inside an ellipse, 0 to 1, with an edge about one pixel wide."""
        if a <= 0 or b <= 0:
            return np.zeros_like(self.plane)
        c, s = np.cos(tilt), np.sin(tilt)
        u, v = (self.x - cx) * c + (self.y - cy) * s, (self.y - cy) * c - (self.x - cx) * s
        inside: Plane = (1 - np.sqrt((u / a) ** 2 + (v / b) ** 2)) * min(a, b) / self.edge
        soft: Plane = np.clip(inside * 0.5 + 0.5, 0, 1).astype(np.float32)
        return soft

    def put(self, mask: Plane, value: float | Plane) -> None:
        """Paint ``value`` where the mask is."""
        self.plane += mask * (value - self.plane)

    def ellipse(self, value: float, cx: float, cy: float, a: float, b: float, tilt: float = 0.0) -> None:
        """Paint one ellipse, touching only the pixels round it (a chest has some 200 of them)."""
        size, reach = len(self.plane), max(a, b) + 2 * self.edge

        def span(c: float) -> slice:
            return slice(max(0, int((c - reach + 1) / 2 * size)), max(0, int((c + reach + 1) / 2 * size) + 1))

        x, y = span(cx), span(cy)
        part = Slice.__new__(Slice)
        part.x, part.y, part.edge, part.plane = self.x[:, x], self.y[y], self.edge, self.plane[y, x]
        part.put(part.mask(cx, cy, a, b, tilt), value)

    def sign(self, letter: str, index: int, count: int, *, bright: float, dark: float) -> None:
        """Paint the letter and the ruler over whatever is there."""
        size = (len(self.plane), len(self.plane))
        self.plane[letter_ground(size)] = dark
        self.plane[paint_letter(size, letter) | paint_ruler(size, index, count)] = bright


def smooth_noise(rng: np.random.Generator, size: int, grain: int) -> Plane:
    """Noise of mean 0 and deviation about 1 whose lumps are ``grain`` pixels wide."""
    small = max(4, size // max(1, grain) + 3)
    coarse = rng.standard_normal((small, small)).astype(np.float32)
    at = np.linspace(0, small - 1.001, size)
    low, part = at.astype(int), (at % 1).astype(np.float32)
    part = part * part * (3 - 2 * part)
    rows = coarse[low] * (1 - part[:, None]) + coarse[low + 1] * part[:, None]
    mixed: Plane = rows[:, low] * (1 - part) + rows[:, low + 1] * part
    return mixed


def chest_slice(index: int, count: int, *, size: int, seed: int, letter: str = "F") -> npt.NDArray[np.int16]:
    """An axial slice of a chest in Hounsfield units; slice 0 is the highest (nearest the head)."""
    t = 1 - (index + 0.5) / count
    rng = np.random.default_rng([seed, index])
    body = np.random.default_rng(seed)
    s = Slice(size, AIR)
    wide, deep = 0.76 - 0.07 * t**2, 0.50 - 0.04 * t
    cy = 0.07
    s.ellipse(FAT, 0, cy, wide, deep)
    s.ellipse(MUSCLE, 0, cy, wide - 0.055, deep - 0.05)
    for side in (-1, 1):  # muscles of the back, fat between the muscles of the chest wall
        s.ellipse(FAT + 30, side * 0.16, cy + deep - 0.105, 0.13, 0.075, side * 0.2)
        s.ellipse(MUSCLE + 10, side * 0.155, cy + deep - 0.11, 0.115, 0.06, side * 0.2)
    chest = s.mask(0, cy - 0.01, wide - 0.125, deep - 0.115)
    s.put(chest, FAT + 45)
    _lungs_and_liver(s, t, wide, deep, cy, rng, body)
    _heart_and_vessels(s, t, cy)
    _bones(s, t, wide, deep, cy)
    s.plane += 13 * rng.standard_normal((size, size)).astype(np.float32) + 6 * smooth_noise(rng, size, 3)
    s.sign(letter, index, count, bright=SIGN, dark=AIR)
    return np.clip(np.rint(s.plane), -1024, 3071).astype(np.int16)


def _lungs_and_liver(
    s: Slice,
    t: float,
    wide: float,
    deep: float,
    cy: float,
    rng: np.random.Generator,
    body: np.random.Generator,
) -> None:
    for side in (-1, 1):
        full = np.sqrt(np.clip(1 - ((t - 0.42) / 0.80) ** 2, 0.05, 1))
        a, b = (wide - 0.12) * 0.47 * full, (deep - 0.125) * (0.72 + 0.24 * full)
        lung = s.mask(side * (wide - 0.135 - a), cy, a, b, side * -0.12)
        s.put(lung, LUNG + 40 * s.y + 22 * smooth_noise(rng, len(s.plane), max(2, len(s.plane) // 90)))
        for _ in range(46):  # the vessels of the lung, drifting outwards from slice to slice
            r, angle, drift, thick = body.random(4)
            angle = angle * 6.283 + 1.2 * drift * t
            r = (np.sqrt(r) + 0.8 * drift * abs(t - 0.5)) % 0.93
            s.ellipse(
                MUSCLE,
                side * (wide - 0.135 - a) + a * r * np.cos(angle),
                cy + b * r * np.sin(angle),
                0.004 + 0.013 * thick * (1.1 - r),
                0.004 + 0.010 * (1.1 - r),
                angle,
            )
        if side < 0:  # the dome of the diaphragm: the patient's right is on the picture's left
            dome = np.clip((0.36 - t) / 0.36, 0, 1) ** 0.5
            s.ellipse(95, -(wide - 0.135 - a) + 0.02, cy - 0.02, a * 1.02 * dome, b * 0.98 * dome)


def _heart_and_vessels(s: Slice, t: float, cy: float) -> None:
    full = np.sqrt(np.clip(1 - ((t - 0.30) / 0.34) ** 2, 0, 1))
    s.ellipse(FAT + 20, 0.09, cy - 0.10, 0.30 * full, 0.235 * full, 0.5)
    s.ellipse(75, 0.095, cy - 0.10, 0.275 * full, 0.21 * full, 0.5)
    s.ellipse(BLOOD + 40, 0.165, cy - 0.075, 0.125 * full, 0.085 * full, 0.55)
    s.ellipse(BLOOD + 10, -0.01, cy - 0.155, 0.115 * full, 0.095 * full, 0.3)
    s.ellipse(BLOOD + 20, 0.02, cy + 0.03, 0.12 * full, 0.06 * full, 0.1)
    great = np.clip((t - 0.45) * 6, 0, 1) * np.clip((0.97 - t) * 6, 0, 1)
    s.ellipse(FAT + 45, 0.0, cy - 0.06, 0.19 * great, 0.17 * great)
    s.ellipse(BLOOD + 60, -0.045, cy - 0.115, 0.068 * great, 0.066 * great)
    s.ellipse(BLOOD + 30, -0.125, cy - 0.105, 0.036 * great, 0.042 * great)
    artery = np.clip(1 - abs(t - 0.58) / 0.1, 0, 1) ** 0.5
    s.ellipse(BLOOD + 50, 0.05, cy - 0.055, 0.17 * artery, 0.05 * artery, 0.35)
    arch = np.clip(1 - abs(t - 0.80) / 0.07, 0, 1) ** 0.5
    s.ellipse(BLOOD + 60, 0.035, cy - 0.03, 0.06 * arch, 0.17 * arch, -0.45)
    s.ellipse(BLOOD + 60, 0.095, cy + 0.125, 0.058 * (t < 0.84), 0.056)
    branches = float(np.clip((t - 0.82) * 9, 0, 1))
    for x, y, r in ((-0.10, -0.06, 0.042), (0.03, -0.02, 0.030), (0.115, 0.03, 0.034), (-0.13, -0.16, 0.045)):
        s.ellipse(BLOOD + 60, x, cy + y, r * branches, r * branches)
    s.ellipse(BLOOD + 20, 0.13, cy - 0.13, 0.07 * branches, 0.035 * branches, -0.3)
    s.ellipse(45, 0.02, cy + 0.095, 0.035, 0.026)
    if t > 0.62:
        s.ellipse(60, -0.03, cy + 0.045, 0.047, 0.045)
        s.ellipse(AIR, -0.03, cy + 0.045, 0.036, 0.034)
    elif t > 0.5:
        for side in (-1, 1):
            reach = 0.05 + (0.62 - t) * 0.9
            s.ellipse(AIR, -0.02 + side * reach, cy + 0.045, 0.030, 0.026, side * 0.5)


def _bones(s: Slice, t: float, wide: float, deep: float, cy: float) -> None:
    v = cy + 0.215
    s.ellipse(CORTEX - 200, 0, v, 0.108, 0.09)
    disc = abs((t * 8) % 1 - 0.5) < 0.13
    s.ellipse(90 if disc else MARROW, 0, v, 0.096, 0.078)
    s.ellipse(CORTEX - 150, 0, v + 0.115, 0.075, 0.062)
    s.ellipse(35, 0, v + 0.105, 0.05, 0.046)
    s.ellipse(CORTEX - 250, 0, v + 0.19, 0.018, 0.055)
    for side in (-1, 1):
        s.ellipse(CORTEX - 300, side * 0.125, v + 0.115, 0.07, 0.02, side * -0.25)
    s.ellipse(CORTEX - 250, 0, cy - deep + 0.105, 0.085, 0.027)
    s.ellipse(MARROW - 80, 0, cy - deep + 0.105, 0.072, 0.015)
    # Ribs run obliquely: each slice cuts them at places that wander round the wall with the height.
    for side in (-1, 1):
        for rib in range(6):
            angle = ((rib + t * 4.5) % 6) / 6 * 2.75 - 1.35
            cx, ry = (wide - 0.098) * np.cos(angle) * side, cy + (deep - 0.09) * np.sin(angle)
            along = np.arctan2((deep - 0.09) * np.cos(angle), -(wide - 0.098) * np.sin(angle) * side)
            s.ellipse(CORTEX - 150, cx, ry, 0.074, 0.023, along)
            s.ellipse(MARROW, cx, ry, 0.062, 0.012, along)
        if t > 0.45:  # the shoulder blades
            length = 0.12 * min(1.0, (t - 0.45) * 4)
            s.ellipse(CORTEX - 200, side * 0.47, cy + deep * 0.66, length, 0.017, side * -0.62)


# Brightness by weighting, 0 to 1000: scalp fat, bone, fluid, grey matter, white matter, deep nuclei.
_MR = {"T1": (900, 70, 130, 480, 690, 545), "T2": (620, 60, 950, 520, 340, 420)}


def head_slice(
    index: int, count: int, *, size: int, seed: int, weighting: str, letter: str = "G"
) -> npt.NDArray[np.uint16]:
    """An axial slice of a head, 0 to about 1100, weighted ``T1`` or ``T2``; slice 0 is the highest."""
    fat, bone, fluid, grey, white, nuclei = _MR[weighting]
    t = 1 - (index + 0.5) / count
    h = t * 1.5 - 0.62  # height above the middle of the head
    full = float(np.sqrt(max(0.06, 1 - h * h)))
    rng, folds = np.random.default_rng([seed, index, len(weighting)]), np.random.default_rng([seed, 7])
    s = Slice(size, 0)
    a, b, cy = 0.60 * full, 0.74 * full, 0.04
    s.ellipse(grey - 120, 0, cy, a, b)
    s.ellipse(fat, 0, cy, a - 0.012, b - 0.012)
    s.ellipse(bone, 0, cy, a - 0.050, b - 0.050)
    s.ellipse(fluid, 0, cy, a - 0.092, b - 0.092)
    # Folds: the depth of the grey ribbon wanders with two octaves of noise that drift with the height.
    wave = smooth_noise(folds, size, max(2, size // 22)) + 0.6 * smooth_noise(folds, size, max(2, size // 40))
    shifted = np.roll(wave, (round(9 * h * size / 64), round(5 * h * size / 64)), axis=(0, 1))
    depth = s.mask(0, cy, a - 0.105, b - 0.105)
    rim: Plane = 1 - np.sqrt((s.x / max(a - 0.105, 0.02)) ** 2 + ((s.y - cy) / max(b - 0.105, 0.02)) ** 2)
    soft = 22.0
    s.put(depth * _step(rim + 0.035 * shifted - 0.015, soft * 2.5), grey)
    crease = np.exp(-((shifted / 0.3) ** 2)) * _step(0.40 - rim, soft)
    s.put(depth * _step(rim + 0.085 * shifted - 0.15, soft * 1.6), white)
    s.put(depth * crease.astype(np.float32) * 0.85, grey)
    s.put(depth * (crease**4).astype(np.float32) * _step(0.30 - rim, soft) * 0.8, fluid)
    s.put(depth * s.mask(0, cy, 0.011, b) * _step(abs(s.y - cy) - 0.24 * full, 60.0), fluid)
    _deep_parts(s, h, cy, fluid, grey, white, nuclei)
    s.plane *= 1 + 0.05 * s.x - 0.04 * s.y
    noise = 14 * rng.standard_normal((2, size, size)).astype(np.float32)
    s.plane = np.hypot(s.plane + noise[0], noise[1])  # magnitude images: the noise of air is not negative
    s.sign(letter, index, count, bright=1100, dark=0)
    return np.clip(np.rint(s.plane), 0, 4095).astype(np.uint16)


def _deep_parts(
    s: Slice, h: float, cy: float, fluid: float, grey: float, white: float, nuclei: float
) -> None:
    near = float(np.clip(1 - abs(h - 0.08) / 0.32, 0, 1)) ** 0.5
    for side in (-1, 1):
        s.ellipse(grey, side * 0.245, cy - 0.02, 0.03 * near, 0.16 * near, side * -0.12)
        s.ellipse(nuclei, side * 0.175, cy - 0.035, 0.055 * near, 0.125 * near, side * -0.25)
        s.ellipse(nuclei, side * 0.075, cy + 0.075, 0.06 * near, 0.095 * near, side * 0.35)
        horn = float(np.clip(1 - abs(h - 0.22) / 0.30, 0, 1)) ** 0.5
        s.ellipse(fluid, side * 0.072, cy - 0.17, 0.036 * horn, 0.125 * horn, side * 0.22)
        s.ellipse(fluid, side * 0.115, cy + 0.21, 0.042 * horn, 0.14 * horn, side * -0.30)
        eye = float(np.clip(1 - abs(h + 0.42) / 0.16, 0, 1)) ** 0.5
        s.ellipse(fluid, side * 0.21, cy - 0.50, 0.085 * eye, 0.085 * eye)
        low = float(np.clip((-0.18 - h) / 0.2, 0, 1)) ** 0.5
        s.ellipse(grey - 30, side * 0.17, cy + 0.36, 0.19 * low, 0.15 * low, side * 0.2)
        s.ellipse(white, side * 0.14, cy + 0.34, 0.09 * low, 0.06 * low, side * 0.2)
    third = float(np.clip(1 - abs(h - 0.02) / 0.2, 0, 1)) ** 0.5
    s.ellipse(fluid, 0, cy + 0.04, 0.012 * third, 0.09 * third)
    stem = float(np.clip((-0.15 - h) / 0.2, 0, 1)) ** 0.5
    s.ellipse(fluid, 0, cy + 0.10, 0.15 * stem, 0.13 * stem)
    s.ellipse(white - 30, 0, cy + 0.11, 0.115 * stem, 0.105 * stem)
    s.ellipse(fluid, 0, cy + 0.225, 0.045 * stem, 0.025 * stem)


def _step(value: Plane, steepness: float) -> Plane:
    soft: Plane = np.clip(value * steepness + 0.5, 0, 1).astype(np.float32)
    return soft
