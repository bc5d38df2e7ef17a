"""The light look: sizes and windows from closed lists, and pictures that a weak line can carry."""

from __future__ import annotations

import pytest

from app.domain.looks import Pixels, Size, Window
from app.domain.study import Picture, Series
from app.models import Study
from app.services.look import Look, NotRenderable
from app.wiring import Services
from tests.support.factories import fake_archives, registered, study_in
from tests.support.fake_orthanc import FakeOrthanc

CT = (Window.MADE, Window.SOFT, Window.LUNG, Window.BONE, Window.BRAIN)
MR = (Window.MADE, Window.BRIGHTER, Window.DARKER, Window.INVERTED)


@pytest.fixture
def orthanc(services: Services) -> FakeOrthanc:
    return fake_archives(services)["main"]


@pytest.fixture
def study(services: Services, orthanc: FakeOrthanc) -> Study:
    registered(services)
    made = study_in(services)
    orthanc.pictures[made.orthanc_id] = (
        Series(1, "Axial", "CT", (Picture("a", 0), Picture("b", 0)), Pixels(512, CT)),
        Series(2, "T1", "MR", (Picture("c", 0),), Pixels(3000, MR)),
    )
    return made


@pytest.fixture
def look(services: Services) -> Look:
    return services.look


def test_nothing_is_enlarged_on_the_way(look: Look, study: Study, orthanc: FakeOrthanc) -> None:
    for size in Size:
        look.picture("main", study, 1, 1, size=size)
        look.picture("main", study, 2, 1, size=size)
    assert [side for side, *_ in orthanc.asked] == [128, 128, 512, 512, 512, 1024, 512, 2048]


def test_a_window_is_asked_for_in_the_archives_numbers(
    look: Look, study: Study, orthanc: FakeOrthanc
) -> None:
    look.picture("main", study, 1, 1, window=Window.LUNG)
    look.picture("main", study, 2, 1, window=Window.DARKER)
    look.picture("main", study, 2, 1, window=Window.INVERTED)
    assert [window for *_, window in orthanc.asked] == [(-600, 1500), (720, 1000), None]


@pytest.mark.parametrize(("series", "window"), [(1, Window.BRIGHTER), (2, Window.LUNG)])
def test_a_window_that_a_series_does_not_have_is_not_there(
    look: Look, study: Study, orthanc: FakeOrthanc, series: int, window: Window
) -> None:
    assert look.picture("main", study, series, 1, window=window) is None
    assert orthanc.asked == []


def test_a_heavy_picture_is_made_lighter_until_a_weak_line_can_carry_it(
    look: Look, study: Study, orthanc: FakeOrthanc
) -> None:
    orthanc.weight = lambda size, quality: size * size * quality // 200
    found = look.picture("main", study, 2, 1, size=Size.MEDIUM)
    assert found is not None
    assert len(found[1]) <= 100_000
    assert [(side, quality) for side, quality, _ in orthanc.asked] == [
        (1024, 80),
        (1024, 55),
        (682, 55),
        (341, 55),
    ]


def test_whoever_enlarges_a_picture_gets_all_of_it(look: Look, study: Study, orthanc: FakeOrthanc) -> None:
    orthanc.weight = lambda size, quality: 900_000
    found = look.picture("main", study, 2, 1, size=Size.LARGE)
    assert found is not None
    assert len(found[1]) == 900_000
    assert len(orthanc.asked) == 1


def test_what_no_picture_can_be_made_of_is_told_apart(look: Look, study: Study, orthanc: FakeOrthanc) -> None:
    orthanc.unrenderable.add("b")
    with pytest.raises(NotRenderable):
        look.picture("main", study, 1, 2)
