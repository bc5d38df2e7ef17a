"""The light look's page: everything it offers is a link that works without script."""

from __future__ import annotations

import re

import pytest

from app.domain.looks import Pixels, Window
from app.domain.study import Picture, Series
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal

CT = (Window.MADE, Window.SOFT, Window.LUNG, Window.BONE, Window.BRAIN)
THREE = tuple(Picture(f"i{number}", 0) for number in range(3))


@pytest.fixture
def look(portal: Portal, orthanc: FakeOrthanc) -> str:
    """The address of the light look, in a visit."""
    orthanc.pictures[portal.study.orthanc_id] = (
        Series(1, "Axial <b>", "CT", THREE, Pixels(512, CT)),
        Series(2, "Protocol", "DOC", ()),
        Series(3, "PA", "DX", THREE[:1], Pixels(2800, (Window.MADE, Window.INVERTED))),
        Series(4, "Clip", "US", THREE, Pixels(640, (), 25.0)),
    )
    portal.prove()
    return f"/study/{portal.study_id}/look"


def test_each_series_is_a_link_with_a_small_picture_from_its_middle(portal: Portal, look: str) -> None:
    page = portal.get(look).text
    assert re.findall(r'src="([^"]+size=thumb)"', page) == [
        f"{look}/1/2.jpg?size=thumb",
        f"{look}/3/1.jpg?size=thumb",
        f"{look}/4/2.jpg?size=thumb",
    ]
    assert page.count('loading="lazy"') == 3
    assert f'href="{look}?series=3"' in page
    assert page.count("shown now") == 1
    assert "Axial &lt;b&gt;" in page
    assert "Document: it has no pictures" in page


def test_only_pictures_with_more_pixels_come_in_more_sizes(portal: Portal, look: str) -> None:
    small = portal.get(look).text
    large = portal.get(f"{look}?series=3").text
    assert f'srcset="{look}/1/2.jpg?size=small 512w"' in small
    assert f'srcset="{look}/3/1.jpg?size=small 512w, {look}/3/1.jpg?size=medium 1024w"' in large


def test_a_window_is_a_link_and_goes_along_with_the_steps(portal: Portal, look: str) -> None:
    page = portal.get(f"{look}?series=1&image=2&window=lung").text
    assert f'src="{look}/1/2.jpg?window=lung&amp;size=small"' in page
    assert f'href="{look}?series=1&amp;image=3&amp;window=lung"' in page
    assert f'href="{look}?series=1&amp;image=2" data-value="made"' in page
    assert re.search(r'data-value="lung" aria-current="true">Lungs', page)


@pytest.mark.parametrize("window", ["brighter", "inverted", "x", "", "lung&window=bone", "40/400"])
def test_a_window_that_the_series_does_not_have_is_as_taken(portal: Portal, look: str, window: str) -> None:
    page = portal.get(f"{look}?series=4&window={window}").text
    assert "?window=" not in page
    assert "&amp;window=" not in page
    assert 'data-rate="25.0"' in page


def test_swapping_is_done_by_the_page(portal: Portal, look: str) -> None:
    page = portal.get(f"{look}?series=3&window=inverted").text
    assert 'data-window="inverted"' in page
    assert f'src="{look}/3/1.jpg?size=small"' in page


@pytest.mark.parametrize(
    "query",
    [
        "size=huge",
        "size=2048",
        "size=",
        "window=soft%20",
        "window=400",
        "window=brighter",
        "size=small&window=",
    ],
)
def test_what_is_on_no_list_is_not_found(portal: Portal, look: str, orthanc: FakeOrthanc, query: str) -> None:
    assert portal.get(f"{look}/1/1.jpg?{query}").status_code == 404
    assert orthanc.asked == []


def test_no_number_of_a_visitors_reaches_the_archive(portal: Portal, look: str, orthanc: FakeOrthanc) -> None:
    answer = portal.get(f"{look}/1/1.jpg?size=small&window=bone&window-center=1&width=9&quality=100")
    assert answer.status_code == 200
    assert orthanc.asked == [(512, 80, (450.0, 1800.0))]


def test_a_single_picture_has_no_steps_and_nothing_to_play(portal: Portal, look: str) -> None:
    page = portal.get(f"{look}?series=3").text
    assert "data-step" not in page
    assert "data-play-button" not in page
