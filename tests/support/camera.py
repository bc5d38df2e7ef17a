"""What a fake camera of Chromium shows: a still picture as an uncompressed video (YUV4MPEG2, 4:2:0)."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1280, 720


def of_sheet(pdf: bytes) -> Image.Image:
    """The upper right of a printed sheet, as a hand holds a phone over it: aslant, on a table, in poor light."""
    command = ["pdftoppm", "-r", "150", "-singlefile", "-png", "-"]
    page = Image.open(BytesIO(subprocess.run(command, input=pdf, capture_output=True, check=True).stdout))
    part = page.convert("RGB").crop((page.width // 2, 0, page.width, page.width // 2))
    held = part.resize((760, 760), Image.Resampling.BILINEAR).rotate(
        7, expand=True, fillcolor=(96, 78, 60), resample=Image.Resampling.BICUBIC
    )
    frame = Image.new("RGB", (WIDTH, HEIGHT), (96, 78, 60))
    frame.paste(held, ((WIDTH - held.width) // 2, (HEIGHT - held.height) // 2))
    return frame.point([30 + value * 6 // 10 for value in range(256)] * 3)


def video(frame: Image.Image, path: Path) -> Path:
    """``frame`` as a video that a camera repeats for ever."""
    y, cb, cr = frame.convert("YCbCr").split()
    half = (frame.width // 2, frame.height // 2)
    one = b"FRAME\n" + y.tobytes() + cb.resize(half).tobytes() + cr.resize(half).tobytes()
    head = f"YUV4MPEG2 W{frame.width} H{frame.height} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + one * 5)
    return path
