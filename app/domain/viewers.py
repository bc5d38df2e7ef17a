"""Viewers as data: where each stands below an archive's public address, and how it takes its token.

Templates are filled with values that need no encoding (UIDs, Orthanc ids, tokens of ``[A-Za-z0-9._~-]``):
Stone neither decodes its token nor tolerates encoded commas.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Viewer:
    """A viewer's address for one study.

    ``narrow`` is what a screen under 600 CSS px gets: another template, or None for the light look.
    """

    label: str
    wide: str
    narrow: str | None


_STONE = "stone-webviewer/index.html?study={uid}&selectedStudies={uid}&token={token}"

VIEWERS = {
    "stone": Viewer("Stone", wide=_STONE, narrow=_STONE + "&menu=hidden"),
    "ohif": Viewer("OHIF", wide="ohif/viewer?StudyInstanceUIDs={uid}&token={token}", narrow=None),
    "volview": Viewer(
        "VolView",
        wide="volview/index.html?names=[archive.zip]&urls=../studies/{orthanc_id}/archive&token={token}",
        narrow=None,
    ),
    "osimis": Viewer(
        "Osimis",
        wide="osimis-viewer/app/index.html?pickableStudyIds={orthanc_id}&selectedStudyIds={orthanc_id}&token={token}",
        narrow=None,
    ),
}


# Orthanc Explorer 2 takes the token from its address, moves it into the browser's storage and sends it as the header
# "token". Its own links to one study have the form of the second.
EXPLORER = "ui/app/?token={token}"
EXPLORER_STUDY = EXPLORER + "#/filtered-studies?StudyInstanceUID={uid}&expand=study"


def address(
    viewer: Viewer, *, public_url: str, uid: str, orthanc_id: str, token: str, is_narrow: bool
) -> str | None:
    """Where to send the browser, or None where a narrow screen is better served by the light look."""
    template = viewer.narrow if is_narrow else viewer.wide
    if template is None:
        return None
    return public_url + template.format(uid=uid, orthanc_id=orthanc_id, token=token)
