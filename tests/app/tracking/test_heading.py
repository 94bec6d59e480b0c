# SPDX-License-Identifier: Apache-2.0
"""Headings: the line through what was seen of a track, and boxes ahead, beside and behind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.heading import Headings, centres
from app.tracking.hybrid import Hybrid
from app.tracking.person import HybridSettings
from app.tracking.sort import Sort
from models.similarity import turn_about
from tests.app.tracking.scenes import FRAME_NS, box, detections
from tests.app.tracking.test_hybrid import follow, hybrid, looks

MEMORY_S = 0.3
ALL = np.array([0], np.intp)
SEEDS = st.integers(0, 2**32 - 1)


def walked(places: list[tuple[float, float]], step_s: float = 0.04) -> Headings:
    """Return one track that was seen with its centre at `places`."""
    headings = Headings(MEMORY_S)
    headings.add(np.array([box(*places[0])]), 0.0)
    for k, (x, y) in enumerate(places[1:], start=1):
        headings.see(ALL, np.array([box(x, y)]), k * step_s)
    return headings


def agreements(headings: Headings, places: list[tuple[float, float]], clear_px: float = 1.0) -> list[float]:
    boxes = np.array([box(x, y) for x, y in places])
    found: list[float] = headings.agreement(boxes, np.full(len(headings), clear_px))[0].tolist()
    return found


def test_ahead_beside_and_behind() -> None:
    """To the right for a second; the middle of what is remembered is then at some 83 px of 100."""
    headings = walked([(4.0 * k, 100.0) for k in range(26)])
    ahead, aslant, beside, behind = agreements(headings, [(200, 100), (183, 200), (83, 300), (-300, 100)])
    assert ahead == pytest.approx(1.0, abs=1e-6)
    assert aslant == pytest.approx(0.5, abs=0.1)
    assert beside == pytest.approx(0.0, abs=0.1)
    assert behind == pytest.approx(-1.0, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(3, 30))
def test_it_is_the_weighted_line_of_numpy(seed: int, n: int) -> None:
    """Times with gaps, centres that wander: the direction is that of polyfit with the same weights."""
    random = np.random.default_rng(seed)
    t_s = np.cumsum(random.choice([0.02, 0.04, 0.3], n))
    places = np.cumsum(random.normal(0.0, 5.0, (n, 2)), axis=0) + random.normal(0.0, 3.0, 2) * t_s[:, None]
    headings = Headings(MEMORY_S)
    headings.add(np.array([box(*places[0])]), t_s[0])
    for at, (x, y) in zip(t_s[1:], places[1:], strict=True):
        headings.see(ALL, np.array([box(x, y)]), float(at))
    weight = np.exp((t_s - t_s[-1]) / MEMORY_S)
    velocity = np.array([np.polyfit(t_s, places[:, axis], 1, w=np.sqrt(weight))[0] for axis in (0, 1)])
    middle = np.average(places, axis=0, weights=weight)
    boxes = random.uniform(-200, 200, (6, 2))
    cosine = (boxes - middle) @ velocity / (np.linalg.norm(boxes - middle, axis=1) * np.linalg.norm(velocity))
    wanted = 1.0 - np.arccos(np.clip(cosine, -1.0, 1.0)) * 2.0 / np.pi
    np.testing.assert_allclose(agreements(headings, boxes.tolist(), 1e-9), wanted, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(-3.0, 3.0), st.floats(0.5, 2.0))
def test_it_turns_grows_and_moves_with_the_camera(seed: int, angle: float, scale: float) -> None:
    """Telling the motion afterwards gives what boxes seen by the moved camera would have given."""
    random = np.random.default_rng(seed)
    places = np.cumsum(random.normal(2.0, 3.0, (12, 2)), axis=0)
    others = random.uniform(-100, 100, (5, 2))
    matrix = turn_about((30.0, 20.0), (random.uniform(-50, 50), 7.0), angle, scale)
    here, there = walked(places.tolist()), walked((places @ matrix[:, :2].T + matrix[:, 2]).tolist())
    here.move(matrix)
    moved = (others @ matrix[:, :2].T + matrix[:, 2]).tolist()
    np.testing.assert_allclose(agreements(here, moved, 3.0), agreements(there, moved, 3.0), atol=1e-6)


def test_whoever_stands_or_was_seen_once_goes_nowhere() -> None:
    assert agreements(walked([(50.0, 50.0)]), [(90, 50), (10, 50)]) == [0.0, 0.0]
    assert agreements(walked([(50.0, 50.0)] * 9), [(90, 50), (10, 50)]) == pytest.approx([0.0, 0.0], abs=1e-6)
    assert agreements(walked([(50.0, 50.0), (60.0, 50.0)], 0.0), [(90, 50)]) == [0.0]


def test_a_short_way_counts_in_proportion() -> None:
    slow = walked([(0.1 * k, 100.0) for k in range(40)])
    fast = walked([(10.0 * k, 100.0) for k in range(40)])
    (little,), (much,) = agreements(slow, [(500, 100)], 10.0), agreements(fast, [(500, 100)], 10.0)
    assert 0.0 < little < 0.2
    assert much == pytest.approx(1.0, abs=1e-6)


def test_a_long_pause_keeps_the_direction() -> None:
    """Ten seconds of nothing: what was seen before counts e^-33 of what is seen now, and no number runs away."""
    headings = walked([(4.0 * k, 100.0) for k in range(26)])
    headings.see(ALL, np.array([box(500.0, 100.0)]), 11.0)
    found = agreements(headings, [(900, 100), (0, 100)])
    assert np.isfinite(found).all()
    headings.see(ALL, np.array([box(496.0, 100.0)]), 11.04)
    assert agreements(headings, [(100, 100)])[0] > 0.5


def test_rows_stay_with_their_tracks() -> None:
    headings = walked([(4.0 * k, 100.0) for k in range(26)])
    headings.add(np.array([box(300.0)]), 1.0)
    for k in range(1, 10):
        headings.see(np.array([1, 0]), np.array([box(300.0 - 5 * k), box(100.0 + 4 * k)]), 1.0 + 0.04 * k)
    assert len(headings) == 2
    headings.keep(np.array([False, True]))
    assert agreements(headings, [(100, 100)])[0] == pytest.approx(1.0, abs=1e-3)


def test_no_track_and_no_box() -> None:
    assert Headings(MEMORY_S).agreement(np.zeros((3, 4)), np.zeros(0)).shape == (0, 3)
    assert walked([(1.0, 1.0)]).agreement(np.zeros((0, 4)), np.ones(1)).shape == (1, 0)
    np.testing.assert_array_equal(centres(np.array([[0.0, 2.0, 4.0, 10.0]])), [[2.0, 6.0]])


def passing(seed: int) -> list[list[float]]:
    """Return the x of two people who pass slowly; boxes shake, and of two who overlap often one is not found."""
    random = np.random.default_rng(seed)
    frames = []
    for k in range(-25, 26):
        places = [300.0 + side * 2.0 * k + random.normal(0.0, 10.0) for side in (1, -1)]
        frames.append(places[:1] if abs(k) < 8 and random.random() < 0.5 else places)
    return frames


def keeps_numbers(tracker: Sort, frames: list[list[float]]) -> bool:
    """Return whether whoever was left in the first frame with two numbers is right in the last."""
    seen = []
    for k, places in enumerate(frames):
        if isinstance(tracker, Hybrid):
            tracker.show(np.zeros((400, 600, 3), np.uint8))
        tracks = tracker.update(detections([box(x, 200) for x in places]), k * FRAME_NS)
        seen.append(tracks.track_id[tracks.xyxy[:, 0].argsort()].tolist())
    first = next(numbers for numbers in seen if len(numbers) == 2)
    return bool(seen[-1] == first[::-1])


def test_people_who_pass_exchange_their_numbers_less_than_half_as_often() -> None:
    no_looks = HybridSettings(budget=0.0, burst=0.0)
    ways = [passing(seed) for seed in range(30)]
    by_overlap = sum(not keeps_numbers(Sort(), frames) for frames in ways)
    by_way = sum(not keeps_numbers(Hybrid(hybrid=no_looks, embedder=looks), frames) for frames in ways)
    assert by_overlap >= 8
    assert 2 * by_way < by_overlap


def test_a_reason_names_the_way() -> None:
    """Two walk side by side: each lies straight ahead on his own way, and the reason says so."""
    people = [{40: 300.0 + 4 * k, 200: 330.0 + 4 * k} for k in range(12)]
    tracker = hybrid()
    why = tracker.whys(follow(tracker, people)[-1])[0]
    assert why.winner.heading == pytest.approx(1.0, abs=0.01)
    assert why.runner_up is not None
    assert why.runner_up.heading is not None
    plain = Hybrid()
    tracks = [plain.update(detections([box(300.0 + 4 * k)]), k * FRAME_NS) for k in range(5)]
    assert plain.whys(tracks[-1])[0].winner.heading is None


@pytest.mark.parametrize("wrong", [{"heading": -0.1}, {"heading_s": 0.0}, {"heading_s": np.inf}, {"clear_width": -1.0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HybridSettings(**wrong)  # type: ignore[arg-type]  # the test's dictionary
