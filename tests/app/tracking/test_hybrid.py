# SPDX-License-Identifier: Apache-2.0
"""The hybrid tracker: SORT without pictures, numbers that come back with them, within its budget and with reasons."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.hybrid import Hybrid
from app.tracking.person import HybridSettings
from app.tracking.sort import Sort
from models.results import Detections, Float32, Image, Tracks
from models.similarity import turn_about
from tests.app.tracking.scenes import FRAME_NS, box, detections, random_frames, track

SIZE_WH = (1000, 400)
SEEDS = st.integers(0, 2**32 - 1)
FREE = HybridSettings(budget=math.inf, burst=math.inf)


def looks(image: Image, xyxy: Float32) -> Float32:
    """One vector of its own for each grey level, that of the middle of the box; zeros beside the picture, on black."""
    vectors = np.zeros((len(xyxy), 256), np.float32)
    for k, (x, y) in enumerate(((xyxy[:, :2] + xyxy[:, 2:]) / 2).astype(int)):
        inside = 0 <= y < image.shape[0] and 0 <= x < image.shape[1]
        vectors[k, image[y, x, 0] if inside else 0] = 1.0
    vectors[:, 0] = 0.0
    return vectors


def picture(found: Detections, codes: list[int]) -> Image:
    """Every box filled with its code, and its middle where others cover it."""
    image: Image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    for (left, top, right, bottom), code in zip(np.maximum(found.xyxy, 0).astype(int), codes, strict=True):
        image[top:bottom, left:right] = code
    for (x, y), code in zip(((found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2).astype(int).tolist(), codes, strict=True):
        image[max(y - 1, 0) : max(y + 2, 0), max(x - 1, 0) : max(x + 2, 0)] = code
    return image


def hybrid(use: HybridSettings = FREE) -> Hybrid:
    return Hybrid(hybrid=use, embedder=looks)


def follow(tracker: Hybrid, people: list[dict[int, float]], start: int = 0) -> list[Tracks]:
    """Feed frames, each {code: x of its box}."""
    out = []
    for frame, each in enumerate(people, start):
        found = detections([box(x, 200) for x in each.values()])
        tracker.show(picture(found, list(each)))
        out.append(tracker.update(found, frame * FRAME_NS))
    return out


def assert_same(a: Tracks, b: Tracks) -> None:
    for name in ("track_id", "xyxy", "velocity", "score", "age_s", "detection_index"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.booleans())
def test_without_pictures_it_is_sort(seed: int, has_embedder: bool) -> None:
    """To the last bit, so that it is never worse; gaps of seconds are in the frames too."""
    frames = random_frames(seed, 8, 40)
    tracker = Hybrid(embedder=looks if has_embedder else None)
    random = np.random.default_rng(seed)
    plain, t_ns = Sort(), 0
    for found in frames:
        t_ns += int(random.choice([FRAME_NS, FRAME_NS, 0, 2_000_000_000, -FRAME_NS]))
        assert_same(tracker.update(found, t_ns), plain.update(found, t_ns))
    assert tracker.n_embedded == 0


def test_a_lost_person_gets_his_number_back_at_once() -> None:
    """Gone for three seconds, three times as long as SORT remembers, and back elsewhere."""
    tracker = hybrid()
    walk = [{10: 200.0 + 2 * k, 90: 600.0} for k in range(10)]
    follow(tracker, walk)
    follow(tracker, [{90: 600.0}] * 75, start=10)
    back = follow(tracker, [{10: 330.0, 90: 600.0}], start=85)
    assert back[0].track_id.tolist() == [1, 2]
    why = tracker.whys(back[0])[0]
    assert (why.decision, why.track_id, why.winner.track_id, why.winner.appearance) == ("found_again", 1, 1, 1.0)
    assert why.winner.motion is not None
    assert why.winner.motion > 0.0
    assert why.t_ns == 85 * FRAME_NS


def test_somebody_else_gets_a_new_number_and_the_reason_names_the_lost_one() -> None:
    tracker = hybrid()
    follow(tracker, [{10: 200.0}] * 10)
    follow(tracker, [{}] * 40, start=10)
    last = follow(tracker, [{77: 205.0}] * 4, start=50)[-1]
    assert last.track_id.tolist() == [2]
    why = tracker.whys(last)[0]
    assert why.decision == "new"
    assert why.runner_up is not None
    assert (why.runner_up.track_id, why.runner_up.appearance) == (1, 0.0)


def test_nobody_comes_back_from_where_he_cannot_be() -> None:
    tracker = hybrid()
    follow(tracker, [{10: 100.0}] * 10)
    follow(tracker, [{}] * 3, start=10)
    assert follow(tracker, [{10: 900.0}] * 4, start=13)[-1].track_id.tolist() == [2]


def test_everyone_leaves_and_returns() -> None:
    tracker = hybrid()
    crowd = {20: 100.0, 60: 300.0, 120: 500.0, 180: 700.0}
    before = follow(tracker, [crowd] * 6)[-1]
    follow(tracker, [{}] * 100, start=6)
    after = follow(tracker, [{code: x + 20 for code, x in crowd.items()}] * 2, start=106)[-1]
    assert after.track_id.tolist() == before.track_id.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(after.xyxy[:, 0] - before.xyxy[:, 0], 20.0, atol=2.0)


def test_after_its_time_a_lost_person_is_forgotten() -> None:
    tracker = hybrid(replace(FREE, lost_s=2.0))
    follow(tracker, [{10: 100.0}] * 5)
    follow(tracker, [{}] * 60, start=5)
    assert tracker.n_known == 0
    assert tracker.n_bytes == 0
    assert follow(tracker, [{10: 100.0}] * 4, start=65)[-1].track_id.tolist() == [2]


def test_looks_decide_between_two_boxes_that_overlap_alike() -> None:
    """Two who meet and turn back: by place alone they exchange numbers, by looks they keep them."""
    apart = [30.0, 26.0, 22.0, 18.0, 14.0, 10.0, 6.0, 3.0]
    way = apart + apart[::-1]
    people = [{40: 400.0 - d, 200: 400.0 + d} for d in way]
    tracker = hybrid(replace(FREE, close_race=1.0))
    tracks = follow(tracker, people)[-1]
    codes = {number: [40, 200][k] for number, k in zip(tracks.track_id, tracks.detection_index, strict=True)}
    plain = track(Sort(), [detections([box(x, 200) for x in each.values()]) for each in people])
    exchanged = dict(zip(plain[-1].track_id.tolist(), plain[-1].detection_index.tolist(), strict=True))
    first = follow(hybrid(), people[:3])[-1]
    born = {number: [40, 200][k] for number, k in zip(first.track_id, first.detection_index, strict=True)}
    assert codes == born
    assert {number: [40, 200][k] for number, k in exchanged.items()} != born
    assert {why.decision for why in tracker.whys(tracks)} == {"appearance"}
    assert all(why.runner_up is not None for why in tracker.whys(tracks))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.2, 0.5, 2.0]))
def test_the_budget_holds(seed: int, budget: float) -> None:
    use = HybridSettings(budget=budget, burst=3.0, close_race=1.0, missed_s=0.0)
    tracker = hybrid(use)
    random = np.random.default_rng(seed)
    for frame, found in enumerate(random_frames(seed, 10, 50), start=1):
        tracker.show(picture(found, random.integers(1, 255, len(found)).tolist()))
        before = tracker.n_embedded
        tracker.update(found, frame * FRAME_NS)
        assert tracker.n_embedded <= 3.0 + budget * frame
        assert tracker.n_embedded - before <= 3.0 + budget


def test_two_runs_are_equal() -> None:
    frames, runs = random_frames(5, 12, 60), []
    for _ in range(2):
        tracker, random, out = hybrid(HybridSettings()), np.random.default_rng(1), []
        for number, found in enumerate(frames):
            tracker.show(picture(found, random.integers(1, 9, len(found)).tolist()))
            out.append(tracker.update(found, number * FRAME_NS))
        runs.append((out, tracker.n_embedded))
    assert runs[0][1] == runs[1][1] > 0
    for a, b in zip(runs[0][0], runs[1][0], strict=True):
        assert_same(a, b)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_numbers_are_dense_and_one_frame_has_none_twice(seed: int) -> None:
    """Also with duplicate frames, cuts where all is elsewhere, empty frames and time that goes back."""
    tracker, random, t_ns, given = hybrid(), np.random.default_rng(seed), 0, set()
    for found in random_frames(seed, 6, 40):
        shift = float(random.choice([0.0, 0.0, 0.0, 300.0]))
        moved = Detections(found.xyxy + np.float32(shift), found.score, found.class_id, found.points)
        kept = moved.take(np.zeros(0, np.intp)) if random.random() < 0.1 else moved
        t_ns += int(random.choice([FRAME_NS, FRAME_NS, 0, -5 * FRAME_NS, 3_000_000_000]))
        tracker.show(picture(kept, random.integers(1, 5, len(kept)).tolist()))
        tracks = tracker.update(kept, t_ns)
        assert len(set(tracks.track_id.tolist())) == len(tracks)
        assert np.isfinite(tracks.xyxy).all()
        assert [why.track_id for why in tracker.whys(tracks)] == tracks.track_id.tolist()
        given |= set(tracks.track_id.tolist())
    assert given == set(range(1, len(given) + 1))


@pytest.mark.parametrize("n", [0, 1, 200])
def test_no_and_two_hundred_detections(n: int) -> None:
    tracker, places = hybrid(HybridSettings()), [box(20 + 40 * (k % 24), 40 + 35 * (k // 24), 30, 30) for k in range(n)]
    for frame in range(4):
        found = detections(places)
        tracker.show(picture(found, [1 + k for k in range(n)]))
        tracks = tracker.update(found, frame * FRAME_NS)
    assert len(tracks) == n
    assert len(tracker.whys(tracks)) == n


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_box_that_is_no_number_is_refused_and_changes_nothing(bad: float) -> None:
    tracker = hybrid()
    follow(tracker, [{10: 100.0}] * 4)
    with pytest.raises(ValueError, match="expected a finite box"):
        tracker.update(detections([[bad, 0, 10, 10]]), 4 * FRAME_NS)
    assert follow(tracker, [{10: 100.0}], start=4)[0].track_id.tolist() == [1]


def test_boxes_beside_the_picture_and_without_area() -> None:
    """Whoever has no pixel looks like nobody: he is followed by place, and no look finds him again."""
    tracker = hybrid()
    odd = detections([box(-500, -300), [50, 50, 50, 90], box(5, 5)])
    for frame in range(5):
        tracker.show(np.zeros((1, 1, 3), np.uint8))
        tracks = tracker.update(odd, frame * FRAME_NS)
    assert tracks.track_id.tolist() == [1, 2]


def test_a_large_picture_is_not_kept_large() -> None:
    tracker = hybrid()
    found = detections([[0, 0, 4000, 4000]])
    for frame in range(3):
        tracker.show(np.full((4320, 7680, 3), 9, np.uint8))
        tracker.update(found, frame * FRAME_NS)
    assert 0 < tracker.n_bytes <= 3 * 256 * 256


def test_a_lost_person_is_expected_where_the_camera_has_turned() -> None:
    """The picture jumps by 400 px while he is lost: told so, he is found again, untold he is not."""
    for is_told, wanted in ((True, [1]), (False, [2])):
        tracker = hybrid(replace(FREE, lost_s=3.0))
        follow(tracker, [{10: 100.0}] * 10)
        follow(tracker, [{}] * 2, start=10)
        if is_told:
            tracker.move(turn_about((0, 0), (400.0, 0.0)))
        assert follow(tracker, [{10: 500.0}] * 4, start=12)[-1].track_id.tolist() == wanted


def test_old_vectors_of_a_followed_person_are_forgotten() -> None:
    """He was looked at often while somebody was near, then walks alone: after a while nothing of that is kept."""
    tracker = hybrid(replace(FREE, close_race=1.0, gallery_s=2.0, n_vectors=50, lost_s=1.0))
    follow(tracker, [{40: 300.0, 200: 315.0}] * 20)
    full = tracker.n_bytes
    follow(tracker, [{40: 300.0}] * 100, start=20)
    assert full > 20 * 256 * 4
    assert tracker.n_known == 1
    assert tracker.n_bytes == 80 * 40 * 3  # the newest picture alone


def test_the_most_lost_are_bounded() -> None:
    tracker = hybrid(replace(FREE, most_lost=5))
    for group in range(12):
        follow(tracker, [{1 + 4 * group + k: 100.0 + 200 * k for k in range(4)}] * 4, start=40 * group)
        follow(tracker, [{}] * 30, start=40 * group + 4)
    assert tracker.n_known <= 5 + 4


@pytest.mark.parametrize(
    "wrong", [{"budget": -1.0}, {"most_lost": 0}, {"reject_similarity": 0.95}, {"burst": math.nan}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="HybridSettings"):
        HybridSettings(**wrong)  # type: ignore[arg-type]  # the test's dictionary


def test_a_tracker_that_takes_over_counts_on() -> None:
    tracker = hybrid()
    tracker.count_from(7)
    assert follow(tracker, [{10: 100.0}] * 4)[-1].track_id.tolist() == [8]
    assert tracker.n_numbers == 8


def test_overlaps_of_a_reason_are_those_of_the_frame() -> None:
    """Decided while they were near; later the other one is far, and his overlap of then is not told as one of now."""
    tracker = hybrid(replace(FREE, close_race=1.0))
    near = follow(tracker, [{40: 300.0, 200: 315.0}] * 4)[-1]
    why = tracker.whys(near)[0]
    assert why.runner_up is not None
    assert why.runner_up.overlap is not None
    away = [{40: 300.0, 200: 315.0 + 12 * k} for k in range(1, 9)]
    far = follow(tracker, away, start=4)[-1]
    later = tracker.whys(far)[0]
    assert later.winner.overlap == pytest.approx(1.0, abs=0.02)
    assert later.runner_up is not None
    assert later.runner_up.overlap is None
    assert later.t_ns < 11 * FRAME_NS
