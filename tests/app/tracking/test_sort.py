# SPDX-License-Identifier: Apache-2.0
"""The tracker on scenes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.sort import Sort, SortSettings
from models.results import Detections, Tracks
from tests.app.tracking.scenes import FRAME_NS, box, detections, random_frames, track


def ids(tracks: Tracks) -> list[int]:
    numbers: list[int] = tracks.track_id.tolist()
    return numbers


def assert_same(a: Tracks, b: Tracks) -> None:
    for name in ("track_id", "xyxy", "velocity", "score", "age_s", "detection_index"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_number_is_given_in_the_third_frame() -> None:
    tracks = track(Sort(), [detections([box(100)])] * 4)
    assert [ids(frame) for frame in tracks] == [[], [], [1], [1]]
    np.testing.assert_allclose(tracks[3].age_s, [0.12], atol=1e-6)


def test_velocity_is_in_px_per_second() -> None:
    last = track(Sort(), [detections([box(100 + 3 * i, 200 - 2 * i)]) for i in range(40)])[-1]
    np.testing.assert_allclose(last.velocity, [[75.0, -50.0]], atol=0.5)
    np.testing.assert_allclose(last.xyxy, [box(217, 122)], atol=0.5)


def test_crossing_with_occlusion_keeps_the_numbers() -> None:
    """Two people meet; the one behind is not found for 0.4 s, then walks on."""
    frames = []
    for i in range(60):
        front, behind = box(100 + 4 * i), box(340 - 4 * i, 104)
        frames.append(detections([front] if 25 <= i < 35 else [front, behind]))
    tracks = track(Sort(), frames)
    assert ids(tracks[24]) == [1, 2]
    assert ids(tracks[30]) == [1]
    for frame in tracks[36:]:
        assert ids(frame) == [1, 2]
        assert frame.velocity[0, 0] > 50.0
        assert frame.velocity[1, 0] < -50.0
    left = tracks[-1].xyxy[:, 0]
    np.testing.assert_allclose(left, [box(336)[0], box(104)[0]], atol=1.5)


def test_dropped_frames_do_not_cost_the_number() -> None:
    times = [i for i in range(60) if i % 4 == 0 or i < 6]
    tracker = Sort()
    tracks = [tracker.update(detections([box(100 + 4 * i)]), i * FRAME_NS) for i in times]
    assert [ids(frame) for frame in tracks[2:]] == [[1]] * (len(times) - 2)


def test_a_track_lost_too_long_comes_back_with_a_new_number() -> None:
    tracker = Sort()
    track(tracker, [detections([box(100)])] * 5)
    soon, late = 900_000_000, 3_000_000_000
    assert ids(tracker.update(detections([box(100)]), soon)) == [1]
    back = [tracker.update(detections([box(100)]), late + i * FRAME_NS) for i in range(3)]
    assert [ids(frame) for frame in back] == [[], [], [2]]


@pytest.mark.parametrize("step_ns", [0, -FRAME_NS, -10_000_000_000])
def test_time_that_does_not_advance_counts_as_none(step_ns: int) -> None:
    tracker = Sort()
    before = track(tracker, [detections([box(100 + 4 * i)]) for i in range(10)])[-1]
    after = tracker.update(detections([box(136)]), 9 * FRAME_NS + step_ns)
    assert ids(after) == [1]
    np.testing.assert_array_equal(after.age_s, before.age_s)
    np.testing.assert_allclose(after.xyxy, before.xyxy, atol=1.0)
    later = tracker.update(detections([box(140)]), 10 * FRAME_NS + step_ns)
    np.testing.assert_allclose(later.age_s, before.age_s + 0.04, atol=1e-6)


def test_no_detection_at_all() -> None:
    tracker = Sort()
    assert len(tracker.update(Detections.empty(), 0)) == 0
    track(tracker, [detections([box(100)])] * 3)
    assert len(tracker.update(Detections.empty(), 5 * FRAME_NS)) == 0


def test_two_hundred_objects() -> None:
    grid = [box(100.0 * (i % 20), 150.0 * (i // 20)) for i in range(200)]
    tracks = track(Sort(), [detections(np.array(grid) + i) for i in range(5)])
    assert ids(tracks[-1]) == list(range(1, 201))
    np.testing.assert_array_equal(np.sort(tracks[-1].detection_index), np.arange(200))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_box_that_is_not_finite_is_refused_by_name(bad: float) -> None:
    with pytest.raises(ValueError, match=r"detection 1: expected a finite box and score, got .*(nan|inf)"):
        Sort().update(detections([box(100), [bad, 0.0, 10.0, 10.0]]), 0)


def test_score_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="detection 0"):
        Sort().update(detections([box(100)], float("nan")), 0)


@pytest.mark.parametrize("flat", [[50, 50, 50, 90], [50, 50, 90, 50], [90, 90, 50, 50], [50, 50, 50, 50]])
def test_box_without_area_is_left_out(flat: list[float]) -> None:
    tracks = track(Sort(), [detections([flat, box(300)])] * 4)
    assert ids(tracks[-1]) == [1]
    assert tracks[-1].detection_index.tolist() == [1]


def test_weak_detections_prolong_but_do_not_start() -> None:
    weak = track(Sort(), [detections([box(100)], 0.55)] * 6)
    assert [len(frame) for frame in weak] == [0] * 6
    kept = track(Sort(), [detections([box(100)], 0.9 if i < 3 else 0.55) for i in range(20)])
    assert ids(kept[-1]) == [1]
    assert kept[-1].score[0] == pytest.approx(0.55)
    assert len(track(Sort(), [detections([box(100)], 0.9 if i < 3 else 0.45) for i in range(20)])[-1]) == 0


def test_boxes_are_enlarged_before_they_are_compared() -> None:
    """A jump by 33 px: as they are the boxes share 7 / 73, both enlarged 15 / 81, of which 0.15 is asked."""
    seen = [detections([box(100)])] * 5
    assert ids(track(Sort(), [*seen, detections([box(133)])])[-1]) == [1]
    assert ids(track(Sort(SortSettings(box_margin=0.0)), [*seen, detections([box(133)])])[-1]) == []


def test_weak_detections_do_not_confirm() -> None:
    tracks = track(Sort(), [detections([box(100)], 0.9 if i < 2 else 0.55) for i in range(6)])
    assert [len(frame) for frame in tracks] == [0] * 6


def test_a_lost_track_needs_more_overlap_than_one_just_seen() -> None:
    """A jump by 28 px: of boxes 40 px wide, enlarged to 48, the overlap is 20 / 76, between the two thresholds."""
    seen = [detections([box(100)])] * 5
    assert ids(track(Sort(), [*seen, detections([box(128)])])[-1]) == [1]
    assert ids(track(Sort(), [*seen, Detections.empty(), detections([box(128)])])[-1]) == []
    assert ids(track(Sort(), [*seen, Detections.empty(), detections([box(120)])])[-1]) == [1]


@pytest.mark.parametrize(("fps", "followed"), [(10, 0.719), (25, 0.551), (100, 0.342)])
def test_smoothing_is_by_time_not_by_frame(fps: int, followed: float) -> None:
    """Of a sudden shift a track takes over the more, the longer the time since the last frame."""
    still, shifted = detections([box(100)]), detections([box(110)])
    last = track(Sort(), [still] * 30 + [shifted], step_ns=1_000_000_000 // fps)[-1]
    assert (last.xyxy[0, 0] - box(100)[0]) / 10.0 == pytest.approx(followed, abs=0.005)


def test_second_box_on_one_object_starts_no_track() -> None:
    double = [box(100), box(108)]
    frames = [detections([box(100)])] * 3 + [detections(double, [0.9, 0.8])] * 6
    assert ids(track(Sort(), frames)[-1]) == [1]


def test_unconfirmed_tracks_cost_no_number() -> None:
    """Boxes that flash up for two frames leave no gap in the numbers."""
    frames = [detections([box(100)] + ([box(400 + 5 * i)] if i % 3 else [])) for i in range(12)]
    frames += [detections([box(100), box(700)])] * 3
    assert ids(track(Sort(), frames)[-1]) == [1, 2]


def test_coasting_returns_the_prediction_for_a_while() -> None:
    frames = [detections([box(100 + 4 * i)]) for i in range(20)] + [Detections.empty()] * 10
    tracks = track(Sort(SortSettings(coast_s=0.2)), frames)
    assert [len(frame) for frame in tracks[20:]] == [1] * 5 + [0] * 5
    assert tracks[22].detection_index.tolist() == [-1]
    np.testing.assert_allclose(tracks[22].xyxy, [box(188)], atol=1.0)


def test_predict_is_not_a_miss() -> None:
    """With the detector run in every third frame only, numbers come and stay as if it had run in each."""
    tracker = Sort()
    for i in range(30):
        if i % 3:
            shown = tracker.predict(i * FRAME_NS)
            assert set(shown.detection_index.tolist()) <= {-1}
        else:
            shown = tracker.update(detections([box(100 + 4 * i)]), i * FRAME_NS)
        assert ids(shown) == ([1] if i >= 6 else [])
    np.testing.assert_allclose(shown.xyxy, [box(216)], atol=2.0)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="iou_threshold"):
        SortSettings(iou_threshold=1.5)
    with pytest.raises(ValueError, match="max_age_s"):
        SortSettings(max_age_s=float("nan"))
    with pytest.raises(ValueError, match="n_init"):
        SortSettings(n_init=0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 12))
def test_same_input_same_output_in_any_order(seed: int, n: int) -> None:
    frames = random_frames(seed, n, 25)
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(found)) for found in frames]
    straight = track(Sort(), frames)
    for a, b in zip(straight, track(Sort(), frames), strict=True):
        assert_same(a, b)
    mixed = track(Sort(), [found.take(order) for found, order in zip(frames, orders, strict=True)])
    for a, b, order in zip(straight, mixed, orders, strict=True):
        np.testing.assert_array_equal(a.track_id, b.track_id)
        np.testing.assert_array_equal(a.xyxy, b.xyxy)
        np.testing.assert_array_equal(a.detection_index, order[b.detection_index])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 12), coast_s=st.sampled_from([0.0, 0.3]))
def test_rows_are_consistent_and_numbers_never_come_back(seed: int, n: int, coast_s: float) -> None:
    frames = random_frames(seed, n, 60)
    tracks = track(Sort(SortSettings(coast_s=coast_s)), frames)
    last_seen: dict[int, int] = {}
    for number, (found, shown) in enumerate(zip(frames, tracks, strict=True)):
        seen = shown.detection_index[shown.detection_index >= 0]
        assert len(set(seen.tolist())) == len(seen)
        assert (np.diff(shown.track_id) > 0).all()
        assert (shown.xyxy[:, 2:] > shown.xyxy[:, :2]).all()
        assert (found.score[seen] >= 0.5).all()
        np.testing.assert_array_equal(shown.score[shown.detection_index >= 0], found.score[seen])
        for one in ids(shown):
            assert number - last_seen.get(one, number) <= 26, "a number came back after max_age_s"
            last_seen[one] = number
    assert sorted(last_seen) == list(range(1, len(last_seen) + 1))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.25, 2.0, 8.0]))
def test_larger_pictures_give_larger_boxes_and_the_same_numbers(seed: int, scale: float) -> None:
    """With powers of two the arithmetic is exact, so this holds to the last bit of the decisions."""
    plain, scaled = (track(Sort(), random_frames(seed, 8, 40, factor)) for factor in (1.0, scale))
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_array_equal(a.track_id, b.track_id)
        np.testing.assert_allclose(a.xyxy * scale, b.xyxy, rtol=1e-5, atol=1e-3 * scale)
