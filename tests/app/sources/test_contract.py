# SPDX-License-Identifier: Apache-2.0
"""What every source keeps, whatever it reads from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.sources.adapted import Adapted
from app.sources.camera import Camera
from app.sources.clip import Clip
from app.sources.demo import Demo
from app.sources.source import Source, SourceError
from app.sources.synthetic import Synthetic
from app.sources.synthetic_top import SyntheticTop
from models.picture_geometry import Fisheye, Geometry
from tests.app.sources.fake_camera import FakeHost
from tests.app.sources.films import write_film


def camera(folder: Path) -> Source:
    fake = FakeHost(folder)
    fake.plug(0)
    return Camera(0, (64, 48), host=fake.host())


def picture(folder: Path) -> Source:
    cv2.imwrite(str(folder / "still.png"), np.zeros((48, 64, 3), np.uint8))
    return Clip(folder / "still.png", "realtime", loop=True)


SOURCES: dict[str, Callable[[Path], Source]] = {
    "camera": camera,
    "clip realtime": lambda folder: Clip(write_film(folder / "film.avi"), "realtime"),
    "clip max": lambda folder: Clip(write_film(folder / "film.avi"), "max"),
    "clip loop": lambda folder: Clip(write_film(folder / "film.avi", 3), "max", loop=True),
    "picture": picture,
    "demo": lambda folder: Demo(write_film(folder / "film.avi", 4), "realtime"),
    "synthetic realtime": lambda folder: Synthetic(1, (64, 48), pace="realtime"),
    "synthetic max": lambda folder: Synthetic(1, (64, 48), pace="max", with_flow=True),
    "synthetic-top realtime": lambda folder: SyntheticTop(1, (64, 48), pace="realtime"),
    "synthetic-top max": lambda folder: SyntheticTop(1, (64, 48), pace="max"),
    "adapted": lambda folder: Adapted(Synthetic(1, (64, 48), pace="max"), Geometry(180.0, Fisheye(0.4))),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    opened = SOURCES[request.param](tmp_path)
    yield opened
    opened.close()


def test_frames(source: Source) -> None:
    began_ns = time.monotonic_ns()
    frames = [source.read() for _ in range(6)]
    ended_ns = time.monotonic_ns()
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert frame.image.shape == (source.size_wh[1], source.size_wh[0], 3)
        assert frame.image.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            frame.image[0, 0, 0] = 1
    for values in ([frame.seq for frame in frames], [frame.t_ns for frame in frames]):
        assert all(isinstance(value, int) for value in values)
        assert (np.diff(values) > 0).all()
    captured_ns = [frame.captured_ns for frame in frames]
    assert (np.diff(captured_ns) > 0).all()
    assert began_ns - 1e9 < captured_ns[0]
    assert captured_ns[-1] <= ended_ns


def test_frames_keep_their_pixels(source: Source) -> None:
    frame = source.read()
    before = frame.image.tobytes()
    for _ in range(4):
        source.read()
    assert frame.image.tobytes() == before


def test_states_name_size_and_rate(source: Source) -> None:
    assert source.name
    assert source.size_wh == (64, 48)
    assert source.fps == pytest.approx(30.0)


def test_each_read_takes_less_than_a_second(source: Source) -> None:
    for _ in range(4):
        began_s = time.monotonic()
        source.read()
        assert time.monotonic() - began_s < 1.0


def test_close_twice_then_read_is_an_error(source: Source) -> None:
    source.read()
    source.close()
    source.close()
    with pytest.raises(SourceError, match="is closed"):
        source.read()
