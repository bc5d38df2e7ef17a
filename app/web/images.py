"""Images for whoever may see them, a visitor or staff: the viewer's address, the light look, its pictures.

Who may see what is decided before: by the visit (web.patient.images) or the account (web.staff.images).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.orthanc import ArchiveUnreachable
from app.config import ArchiveSettings
from app.domain import viewers
from app.domain.looks import Size, Window
from app.domain.study import GateState
from app.models import Study
from app.services.look import NotRenderable
from app.web import look_texts, study_texts
from app.web.context import archive_of, services


@dataclass(frozen=True)
class Place:
    """Where a light look stands: its own address, the way back, and the way in again once it was closed."""

    look_url: str
    back_url: str
    again_url: str
    is_staff: bool = False


def archive_settings(study: Study) -> ArchiveSettings:
    return services().settings.archive(archive_of(study))


def viewer_label(study: Study) -> str:
    """What the configured viewer is called."""
    return viewers.VIEWERS[archive_settings(study).viewer].label


def is_narrow() -> bool:
    """Under 600 CSS px: told by the page's script, else guessed from what the browser says of itself."""
    if told := request.form.get("narrow"):
        return told == "1"
    if hint := request.headers.get("Sec-CH-UA-Mobile"):
        return hint == "?1"
    return "Mobi" in request.headers.get("User-Agent", "")


def suits_viewer(study: Study) -> bool:
    """Whether the configured viewer is any good on this screen; otherwise the light look is."""
    chosen = viewers.VIEWERS[archive_settings(study).viewer]
    return not is_narrow() or chosen.narrow is not None


def ways(study: Study) -> dict[str, Any]:
    """The viewer beside the light look: what it is called, whether it comes first on this screen, and whether it is
    any good on a narrow one (no page knows how wide it will be)."""
    chosen = viewers.VIEWERS[archive_settings(study).viewer]
    return {
        "viewer": chosen.label,
        "viewer_first": suits_viewer(study),
        "viewer_when_narrow": chosen.narrow is not None,
    }


def to_viewer(study: Study, token: str) -> Response:
    """To the configured viewer, which ``suits_viewer``, with a token for it."""
    settings = archive_settings(study)
    address = viewers.address(
        viewers.VIEWERS[settings.viewer],
        public_url=settings.public_url,
        uid=study.study_instance_uid,
        orthanc_id=study.orthanc_id,
        token=token,
        is_narrow=is_narrow(),
    )
    assert address is not None
    return redirect(address, 303)


def why_unavailable(study: Study) -> str | None:
    """Why the images can't be opened (a word that the pages have sentences for), or None."""
    if study.deleted_at is not None:
        return "gone"
    state = services().archives.gate_state(archive_of(study), at=services().clock())
    return {GateState.GUARDED: None, GateState.OPEN: "unsafe"}.get(state, "unreachable")


def look_context(study: Study, place: Place) -> dict[str, Any] | None:
    """What the light look shows for this request; None for a place in the study that doesn't exist.

    Raises ArchiveUnreachable.
    """
    listed = services().look.series(archive_of(study), study)
    first = next((series.number for series in listed if series.pictures), None)
    current = study_texts.position(
        listed,
        request.args.get("series", first, type=int),
        request.args.get("image", None, type=int),
        base=place.look_url,
    )
    if current is None and first is not None:
        return None
    if current is not None:
        shown = listed[current["series_number"] - 1]
        window = look_texts.window_named(request.args.get("window"), shown.pixels.windows)
        current = look_texts.describe(current, shown, window, base=place.look_url)
    return {
        "study": study_texts.describe(study),
        "series": [look_texts.describe_series(series, base=place.look_url) for series in listed],
        "current": current,
        "place": place,
    }


def look_page(context: dict[str, Any]) -> str:
    return render_template("patient/look.html", **context)


def picture(study: Study, series: int, number: int) -> ResponseReturnValue:
    """One picture of the light look, as JPEG or PNG. Its size and window are names from closed lists."""
    if study.deleted_at is not None:
        abort(404)
    try:
        size = Size(request.args.get("size", Size.MEDIUM))
        window = Window(request.args.get("window", Window.MADE))
    except ValueError:
        abort(404)
    try:
        found = services().look.picture(archive_of(study), study, series, number, size=size, window=window)
    except ArchiveUnreachable:
        return Response(status=503, headers={"Retry-After": "5"})
    except NotRenderable:
        return Response(status=415)  # not 404: to the page's script that means that the visit is over
    if found is None:
        abort(404)
    media_type, body = found
    return Response(body, mimetype=media_type)
