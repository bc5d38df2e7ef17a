"""A real Chromium, and looking at what it shows."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from axe_playwright_python.sync_playwright import Axe as AnyAxe
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
Scheme = Literal["light", "dark"]
DESKTOP, PHONE = (1280, 800), (390, 844)
CHROMIUM = "/usr/bin/chromium"
# The same Chromium without what stands round a page (no tabs, no PDF viewer): a window costs a third. Where it isn't
# installed, the whole browser does.
SHELL = shutil.which("chromium-headless-shell") or CHROMIUM


class Axe(AnyAxe):  # type: ignore[misc]
    """axe-core, read once by each page and not before each look at it."""

    def run(self, page: Page, *args: Any, **options: Any) -> AxeResults:
        self.axe_script = AXE_SCRIPT if page.evaluate("typeof axe") == "undefined" else ""
        return super().run(page, *args, **options)


@contextmanager
def chromium(executable: str = SHELL, flags: Sequence[str] = ()) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])
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


def looks(
    page: Page, *sizes: tuple[int, int], schemes: Sequence[Scheme] = ("light", "dark")
) -> Iterator[str]:
    """The page as it stands there, on screens of these sizes and in both colour schemes, one after the other; left as
    it was."""
    before = page.viewport_size
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        for width, height in sizes:
            page.set_viewport_size({"width": width, "height": height})
            yield f"{width}, {scheme}"
    page.emulate_media(color_scheme=None)
    if before is not None:
        page.set_viewport_size(before)


def _is_foreign(address: str) -> bool:
    own = ("http://localhost:", "http://127.0.0.1:", "https://localhost:", "https://127.0.0.1:")
    return address.startswith("http") and not address.startswith(own)


def gray(picture: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("L"))


def shows_sign(element: Locator, letter: str = "F") -> bool:
    """Whether what stands on the screen there is the phantom's letter, upright and not mirrored."""
    return sign.sign_is_visible(gray(element.screenshot()), letter)


def wait_for_sign(element: Locator, letter: str = "F", *, within: float = 30) -> None:
    # Each look is a picture of the screen: looking all the time would slow down what is waited for.
    eventually(
        lambda: shows_sign(element, letter),
        within=within,
        every=0.3,
        what=f"the letter {letter} on the screen",
    )


def shown_slice(element: Locator, *, count: int, letter: str = "F") -> int | None:
    return sign.slice_number(gray(element.screenshot()), count=count, letter=letter)
