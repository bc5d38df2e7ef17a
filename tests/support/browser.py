"""A real Chromium, and looking at what it shows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from app.demo import sign
from tests.support.clinic import eventually

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = (1280, 800), (390, 844)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, size: tuple[int, int], **options: object) -> Iterator[Page]:
    """A fresh browser profile with one page; fails on requests to anywhere but this machine."""
    context: BrowserContext = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        **options,  # type: ignore[arg-type]
    )
    context.set_default_timeout(15_000)
    foreign: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url) else None)
    yield page
    context.close()
    assert not foreign


def _is_foreign(address: str) -> bool:
    own = ("http://localhost:", "http://127.0.0.1:", "https://localhost:", "https://127.0.0.1:")
    return address.startswith("http") and not address.startswith(own)


def gray(picture: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("L"))


def shows_sign(element: Locator, letter: str = "F") -> bool:
    """Whether what stands on the screen there is the phantom's letter, upright and not mirrored."""
    return sign.sign_is_visible(gray(element.screenshot()), letter)


def wait_for_sign(element: Locator, letter: str = "F", *, within: float = 30) -> None:
    eventually(lambda: shows_sign(element, letter), within=within, what=f"the letter {letter} on the screen")


def shown_slice(element: Locator, *, count: int, letter: str = "F") -> int | None:
    return sign.slice_number(gray(element.screenshot()), count=count, letter=letter)
