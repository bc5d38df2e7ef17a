"""Preparing the viewer, on a small package of the same form; the real one is fetched by the demo itself."""

import base64
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.demo import ohif
from app.demo.ohif_page import APP_CONFIG, POLICY, index_html

PACKAGE: dict[str, str] = {
    "LICENSE": "MIT",
    "dist/index.html": '<script>x</script><script defer src="/app.bundle.0a1b.js"></script>',
    "dist/app-config.js": "window.config = { qidoRoot: 'https://demo.example' }",
    "dist/app.bundle.0a1b.js": '__webpack_require__.p = "/";',
    "dist/136.bundle.ff.js": '(() => {__webpack_require__.p = "/"})()',
    "dist/app.bundle.css": "@font-face{src:url(/a.woff2)} a{background:url(data:image/png;base64,AA)}",
    "dist/sw.js": "importScripts('https://cdn.example/workbox.js')",
    "dist/init-service-worker.js": "navigator.serviceWorker",
    "dist/776f.wasm": "codec",
    "dist/app.bundle.0a1b.js.map": "{}",
    "dist/ort/ort-wasm.wasm": "network",
    "dist/ort/esm/ort.min.js.map": "{}",
    "dist/assets/favicon.ico": "icon",
    "dist/assets/images/CT-Bone.png": "preset",
    "dist/assets/android-chrome-36x36.png": "icon",
}


def tarball(folder: Path, files: dict[str, str], prefix: str = "package/") -> Path:
    path = folder / "ohif-app.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Path]:
    """An ``npm`` on PATH that brings a package of our own; returns its log of calls."""

    def install(files: dict[str, str]) -> Path:
        bin_folder, log = tmp_path / "bin", tmp_path / "calls"
        bin_folder.mkdir()
        brought = tarball(tmp_path, files)
        script = bin_folder / "npm"
        script.write_text(f'#!/bin/sh\necho "$@" >> {log}\n/bin/cp {brought} .\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(bin_folder))
        digest = hashlib.sha512(brought.read_bytes()).digest()
        monkeypatch.setattr(ohif, "SHA512", base64.b64encode(digest).decode())
        return log

    return install


def quiet(message: str) -> None:
    """Progress that nobody watches."""


def test_the_viewer_is_made_ready_for_its_place_and_for_nothing_else(
    tmp_path: Path, npm: Callable[[dict[str, str]], Path]
) -> None:
    log = npm(PACKAGE)
    said: list[str] = []

    folder = ohif.prepare(tmp_path / "data" / "ohif", progress=said.append)

    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        ohif.MARKER,
        "LICENSE",
        "index.html",
        "app-config.js",
        "app.bundle.0a1b.js",
        "136.bundle.ff.js",
        "app.bundle.css",
        "776f.wasm",
        "assets/favicon.ico",
        "assets/images/CT-Bone.png",
    }
    assert (folder / "app.bundle.0a1b.js").read_text() == '__webpack_require__.p = "/ohif/";'
    assert (folder / "136.bundle.ff.js").read_text() == '(() => {__webpack_require__.p = "/ohif/"})()'
    assert "url(/ohif/a.woff2)" in (folder / "app.bundle.css").read_text()
    assert "url(data:image" in (folder / "app.bundle.css").read_text()
    assert 'src="/ohif/app.bundle.0a1b.js"' in (folder / "index.html").read_text()
    assert "demo.example" not in (folder / "app-config.js").read_text()
    assert "@ohif/app@3.13.2 --ignore-scripts" in log.read_text()
    assert said[0].startswith("Fetching the OHIF viewer")
    assert [path.name for path in folder.parent.iterdir()] == ["ohif"]


def test_a_second_call_fetches_nothing(tmp_path: Path, npm: Callable[[dict[str, str]], Path]) -> None:
    log = npm(PACKAGE)
    ohif.prepare(tmp_path / "ohif", progress=quiet)

    said: list[str] = []
    ohif.prepare(tmp_path / "ohif", progress=said.append)

    assert len(log.read_text().splitlines()) == 1
    assert said == []


def test_a_folder_made_by_an_older_patch_is_made_anew(
    tmp_path: Path, npm: Callable[[dict[str, str]], Path]
) -> None:
    log = npm(PACKAGE)
    folder = ohif.prepare(tmp_path / "ohif", progress=quiet)
    (folder / ohif.MARKER).write_text("@ohif/app 3.13.2 patch 0\n")
    (folder / "left-over.js").touch()

    ohif.prepare(folder, progress=quiet)

    assert len(log.read_text().splitlines()) == 2
    assert not (folder / "left-over.js").exists()


def test_what_a_killed_run_left_is_removed_and_a_run_under_way_is_not(
    tmp_path: Path, npm: Callable[[dict[str, str]], Path]
) -> None:
    npm(PACKAGE)
    for name in (".ohif-killed", ".ohif-running"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / ".ohif-killed", (0, 0))

    ohif.prepare(tmp_path / "ohif", progress=quiet)

    assert not (tmp_path / ".ohif-killed").exists()
    assert (tmp_path / ".ohif-running").exists()


def test_other_bytes_than_the_pinned_ones_are_refused(
    tmp_path: Path, npm: Callable[[dict[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    npm(PACKAGE)
    monkeypatch.setattr(ohif, "SHA512", "A" * 86 + "==")

    with pytest.raises(ohif.ViewerUnavailable, match="not the one we know"):
        ohif.prepare(tmp_path / "data" / "ohif", progress=quiet)

    assert list((tmp_path / "data").iterdir()) == []


def test_a_package_that_reaches_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    evil = tarball(tmp_path, {"../../evil.js": "x"})
    (tmp_path / "work").mkdir()

    with pytest.raises(ohif.ViewerUnavailable, match="could not be unpacked"):
        ohif.unpack(evil, tmp_path / "work")

    assert not (tmp_path / "evil.js").exists()


def test_a_package_of_another_form_leaves_nothing_behind(
    tmp_path: Path, npm: Callable[[dict[str, str]], Path]
) -> None:
    npm({**PACKAGE, "dist/index.html": "<html></html>"})

    with pytest.raises(ohif.ViewerUnavailable, match="no page"):
        ohif.prepare(tmp_path / "data" / "ohif", progress=quiet)

    assert list((tmp_path / "data").iterdir()) == []


def test_what_npm_says_reaches_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "npm"
    script.write_text("#!/bin/sh\necho 'no network here' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ohif.ViewerUnavailable, match="no network here"):
        ohif.prepare(tmp_path / "ohif", progress=quiet)


def test_the_page_lets_nothing_leave_its_origin() -> None:
    page = index_html(root="/ohif/", bundle="app.bundle.0a1b.js")

    assert POLICY in page
    assert "http" not in POLICY
    assert "'unsafe-eval'" not in POLICY
    assert "<script>" not in page
    assert "://" not in page + APP_CONFIG
