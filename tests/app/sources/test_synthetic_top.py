# SPDX-License-Identifier: Apache-2.0
"""The drawn room: the same bytes each time, a truth that bounds what was drawn, and people who walk."""

from __future__ import annotations

import numpy as np
import pytest

from app.config import ConfigError
from app.sources import top_scene
from app.sources.opening import open_source
from app.sources.source import EndOfStream, SourceError
from app.sources.synthetic_top import SyntheticTop
from app.sources.top_scene import TopScene
from app.sources.top_walk import N_WALKERS, REACH_M, STAY_S, walker_at


def test_the_same_arguments_give_the_same_bytes_and_seeds_differ() -> None:
    first, second, other = (SyntheticTop(seed, pace="max", n_frames=3) for seed in (1, 1, 2))
    for _ in range(3):
        a, b, c = first.read(), second.read(), other.read()
        assert np.array_equal(a.image, b.image)
        assert (a.seq, a.t_ns) == (b.seq, b.t_ns)
        assert a.truth is not None
        assert b.truth is not None
        assert np.array_equal(a.truth.xyxy, b.truth.xyxy)
        assert not np.array_equal(a.image, c.image)
    with pytest.raises(EndOfStream):
        first.read()


def test_the_truth_bounds_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One person in the room: what differs from the floor fills the box, but for soft edges."""
    monkeypatch.setattr(top_scene, "N_WALKERS", 1)
    scene = TopScene(3, (640, 480))
    n_checked = n_cut = 0
    for k in range(60):
        image, truth = scene.snapshot(0.7 * k)
        changed = (image != scene._floor).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if len(truth.xyxy) == 0:
            n_cut += len(rows) > 0  # less than half of him is in the picture
            continue
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        outwards = (found - truth.xyxy[0]) * np.array([-1, -1, 1, 1])
        assert outwards.max() <= 1.5
        if (truth.xyxy[0, :2] >= 0).all() and (truth.xyxy[0, 2:] <= (640, 480)).all():
            assert outwards.min() >= -1.5
            n_checked += 1
    assert n_checked >= 10
    assert n_cut > 0


def test_people_enter_walk_and_leave_out_of_sight() -> None:
    for slot in range(N_WALKERS):
        for number in range(3):
            time_s = number * STAY_S[slot]
            walker = walker_at(4, slot, time_s)
            for end_s in (walker.entered_s, walker.entered_s + walker.stay_s):
                step = walker.step(end_s)
                assert np.hypot(step.x_m, step.y_m) >= REACH_M - 0.01
            assert walker.entered_s <= time_s < walker.entered_s + walker.stay_s + 1e-9
    ids = {walker_at(4, slot, t).track_id for slot in range(N_WALKERS) for t in range(0, 100, 4)}
    assert len(ids) > 3 * N_WALKERS


def test_people_move_smoothly() -> None:
    scene = TopScene(5, (320, 240))
    before: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    n_compared = 0
    for k in range(90):
        _, truth = scene.snapshot(k / 30)
        now = dict(zip(truth.track_id.tolist(), truth.xyxy, strict=True))
        for number in now.keys() & before.keys():
            n_compared += 1
            assert np.abs(now[number] - before[number]).max() < 12
        before = now
    assert n_compared > 100


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 200), (1920, 1080)])
def test_any_size_is_drawn(size_wh: tuple[int, int]) -> None:
    frame = SyntheticTop(1, size_wh, pace="max").read()
    assert frame.image.shape == (size_wh[1], size_wh[0], 3)
    assert frame.truth is not None
    assert np.isfinite(frame.truth.xyxy).all()


def test_what_a_flag_means() -> None:
    assert open_source("synthetic-top", "max").source.name == "synthetic-top:0"
    assert open_source("synthetic-top:7", "max").source.name == "synthetic-top:7"
    with pytest.raises(ConfigError, match="expected camera:N or synthetic:SEED"):
        open_source("synthetic-top:x", "max")
    with pytest.raises(SourceError, match="needs seed >= 0"):
        SyntheticTop(-1)
    source = SyntheticTop(0, pace="max")
    source.close()
    source.close()
    with pytest.raises(SourceError, match="is closed"):
        source.read()
