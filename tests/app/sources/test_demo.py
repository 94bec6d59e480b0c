# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from app.sources.demo import Demo
from app.sources.source import EndOfStream
from tests.app.sources.films import index_of, write_film
from tests.app.sources.test_clip import read_all


def test_plays_once_at_full_pace(tmp_path: Path) -> None:
    demo = Demo(write_film(tmp_path / "film.avi", 5), "max")
    assert demo.name == "demo (film.avi)"
    assert [index_of(frame.image) for frame in read_all(demo)] == [0, 1, 2, 3, 4]


def test_loops_in_realtime(tmp_path: Path) -> None:
    demo = Demo(write_film(tmp_path / "film.avi", 3, 60.0))
    seqs = [demo.read().seq for _ in range(8)]
    assert seqs[-1] >= 7
    demo.close()


@pytest.mark.parametrize("n_frames", [0, 2, 7])
def test_gives_as_many_frames_as_told(tmp_path: Path, n_frames: int) -> None:
    demo = Demo(write_film(tmp_path / "film.avi", 3), "max", n_frames)
    assert [index_of(frame.image) for frame in read_all(demo)] == [0, 1, 2, 0, 1, 2, 0][:n_frames]
    with pytest.raises(EndOfStream):
        demo.read()
