# SPDX-License-Identifier: Apache-2.0
"""Turned, unbent and cut pictures: points go there and back, and the picture goes where its points go."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import AppError
from models.picture_geometry import Fisheye, Geometry, GeometryError, PictureGeometry
from models.results import Image

SIZE_WH = (160, 120)


def disc(xy: tuple[float, float], size_wh: tuple[int, int] = SIZE_WH, radius: float = 5.0) -> Image:
    """Return a black picture with a soft white disc, its centre at `xy` px (continuous)."""
    y, x = np.mgrid[: size_wh[1], : size_wh[0]] + 0.5
    level = np.clip((radius + 0.5 - np.hypot(x - xy[0], y - xy[1])), 0, 1) * 255
    return np.repeat(np.rint(level).astype(np.uint8)[..., None], 3, axis=2)


def middle_of(image: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    weight = image[..., 0].astype(np.float64)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()])


LENS = Fisheye(0.5, (0.48, 0.53))
GEOMETRIES = [
    Geometry(90.0),
    Geometry(180.0),
    Geometry(-90.0),
    Geometry(450.0 - 360.0, roi=(0.1, 0.2, 0.8, 0.7)),
    Geometry(37.0),
    Geometry(-123.4, roi=(0.1, 0.1, 0.8, 0.8)),
    Geometry(0.0, roi=(0.25, 0.25, 0.6, 0.6)),
    Geometry(0.0, LENS),
    Geometry(30.0, LENS, (0.05, 0.05, 0.9, 0.9)),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_picture_goes_where_its_points_go(geometry: Geometry) -> None:
    picture = PictureGeometry(geometry)
    for place in ((80.0, 60.0), (60.5, 52.0), (95.0, 70.25)):
        changed = picture(disc(place))
        assert (changed.shape[1], changed.shape[0]) == picture.size_wh(SIZE_WH)
        wanted = picture.from_source(np.array(place), SIZE_WH)
        assert middle_of(changed) == pytest.approx(wanted, abs=0.35)


@given(
    st.floats(-360, 360),
    st.none() | st.floats(0.2, 3.0),
    st.none() | st.tuples(*[st.floats(0.0, 0.5)] * 2, *[st.floats(0.01, 0.5)] * 2),
    st.tuples(st.floats(0, 640), st.floats(0, 480)),
)
@settings(max_examples=200)
def test_points_go_there_and_back(
    rotate: float,
    focal: float | None,
    roi: tuple[float, float, float, float] | None,
    point: tuple[float, float],
) -> None:
    picture = PictureGeometry(Geometry(rotate, None if focal is None else Fisheye(focal), roi))
    there = picture.from_source(np.array([point]), (640, 480))
    if focal is not None and math.hypot(point[0] - 320, point[1] - 240) >= math.pi / 2 * focal * 640:
        assert np.isnan(there).all()
    elif np.abs(there).max() < 1e5:  # beyond, a hair's breadth in the lens is a mile in the picture
        assert picture.to_source(there, (640, 480))[0] == pytest.approx(point, abs=1e-3)


def test_quarter_turns_move_every_pixel_and_lose_none() -> None:
    image = np.random.default_rng(1).integers(0, 256, (7, 11, 3), np.uint8)
    assert np.array_equal(PictureGeometry(Geometry(90.0))(image), np.rot90(image, -1))
    assert np.array_equal(PictureGeometry(Geometry(-90.0))(image), np.rot90(image))
    turned = PictureGeometry(Geometry(180.0))(PictureGeometry(Geometry(-180.0))(image))
    assert np.array_equal(turned, image)
    whole = PictureGeometry(Geometry(90.0))(image)
    assert np.array_equal(whole[0, -1], image[0, 0])  # clockwise: the upper left goes to the upper right
    assert whole.flags.c_contiguous


def test_lines_that_a_fisheye_bends_are_straight_again() -> None:
    """A grid of known straight lines, drawn as an equidistant lens of 0.4 widths shows them."""
    size_wh, focal_px = (400, 300), 160.0
    y, x = np.mgrid[:300, :400] + 0.5
    theta = np.hypot(x - 200, y - 150) / focal_px
    scale = np.tan(np.minimum(theta, 1.5)) / np.maximum(theta, 1e-9)
    plain_x, plain_y = (x - 200) * scale, (y - 150) * scale
    is_line = (np.abs(plain_x - 80) < 4) | (np.abs(plain_y + 60) < 4)
    bent = np.repeat((is_line * 255).astype(np.uint8)[..., None], 3, axis=2)
    straight = PictureGeometry(Geometry(0.0, Fisheye(0.4)))(bent)[..., 0] > 127
    columns = [np.flatnonzero(straight[row, 240:]).mean() + 240.5 for row in range(20, 280, 20) if row != 80]
    assert columns == pytest.approx([280.0] * len(columns), abs=1.0)
    assert np.ptp([np.flatnonzero(bent[row, 240:, 0]).mean() for row in (20, 140)]) > 8  # the lens did bend it
    rows = [np.flatnonzero(straight[:120, column]).mean() + 0.5 for column in range(20, 260, 20)]
    assert rows == pytest.approx([90.0] * len(rows), abs=1.0)
    assert PictureGeometry(Geometry(0.0, Fisheye(0.4))).size_wh(size_wh) == size_wh


def test_maps_are_made_once_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = PictureGeometry(Geometry(10.0, LENS))
    first = picture(disc((80, 60)))
    monkeypatch.setattr(PictureGeometry, "to_source", None)  # would be needed for another map
    assert np.array_equal(picture(disc((80, 60))), first)
    with pytest.raises(TypeError):
        picture(disc((10, 10), (20, 20)))


@pytest.mark.parametrize("geometry", [*GEOMETRIES, Geometry(0.0, None, (0.0, 0.0, 1.0, 1.0)), Geometry(11.0, LENS)])
def test_one_pixel_stays_at_least_one(geometry: Geometry) -> None:
    for size_wh in ((1, 1), (1, 5), (3, 1)):
        image = np.full((size_wh[1], size_wh[0], 3), 200, np.uint8)
        changed = PictureGeometry(geometry)(image)
        assert min(changed.shape[:2]) >= 1
        assert (changed.shape[1], changed.shape[0]) == PictureGeometry(geometry).size_wh(size_wh)


def test_pictures_of_8k_are_changed_within_bounds() -> None:
    image = np.zeros((4320, 7680, 3), np.uint8)
    image[2160:2170, 3840:3850] = 255
    turned = PictureGeometry(Geometry(45.0, roi=(0.4, 0.4, 0.2, 0.2)))
    assert turned(image).max() > 250
    lens = PictureGeometry(Geometry(0.0, Fisheye(0.4), (0.4, 0.4, 0.2, 0.2)))
    tracemalloc.start()
    assert lens(image).max() > 250
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6  # the maps of a fifth of the width and height, not of the whole


@pytest.mark.parametrize(
    ("rotate", "fisheye", "roi", "wanted"),
    [
        (math.nan, "", "", "--rotate: nan is no turn"),
        (math.inf, "", "", "--rotate: inf is no turn"),
        (1e9, "", "", "--rotate: 1e\\+09 is no turn"),
        (0, "0", "", "the focal length is 0, expected 0.05 to 10"),
        (0, "-1", "", "the focal length is -1"),
        (0, "nan", "", "--fisheye: expected 1 or 3 numbers"),
        (0, "0.3,0.5", "", "--fisheye: expected 1 or 3 numbers"),
        (0, "wide", "", "--fisheye: expected 1 or 3 numbers"),
        (0, "0.3,0.5,1.5", "", "the centre is"),
        (0, "", "0,0,1", "--roi: expected 4 numbers"),
        (0, "", "0,0,inf,1", "--roi: expected 4 numbers"),
        (0, "", "0,0,0,1", "--roi: 0,0,0,1 is no part of the picture"),
        (0, "", "0.5,0,0.6,1", "--roi: 0.5,0,0.6,1 is no part"),
        (0, "", "-0.1,0,0.6,1", "--roi: -0.1,0,0.6,1 is no part"),
    ],
)
def test_absurd_parameters_are_refused_in_a_sentence(rotate: float, fisheye: str, roi: str, wanted: str) -> None:
    with pytest.raises(GeometryError, match=wanted) as caught:
        Geometry.parsed(rotate, fisheye, roi)
    assert isinstance(caught.value, AppError)
    assert "\n" not in str(caught.value)


def test_what_changes_nothing_is_known() -> None:
    assert Geometry.parsed(0.0, "", "").is_plain
    assert Geometry.parsed(360.0, "", "0,0,1,1").is_plain
    assert not Geometry.parsed(90.0, "", "").is_plain
    assert Geometry.parsed(0.0, "0.3,0.4,0.6", "0.1,0.2,0.3,0.4") == Geometry(
        0.0, Fisheye(0.3, (0.4, 0.6)), (0.1, 0.2, 0.3, 0.4)
    )
