# SPDX-License-Identifier: Apache-2.0
"""Few vectors, none of them old, one picture; and where the gate of motion lets people come from."""

from __future__ import annotations

import numpy as np
import pytest

from app.tracking.doubt import close_races, hidden_shares
from app.tracking.gallery import LARGEST_SIDE_PX, Gallery, snapshot_of
from app.tracking.kalman import KalmanFilters
from app.tracking.motion_gate import FASTEST_HPS, GATE, NEAR_HEIGHTS, motion_distances
from app.tracking.sort import FIRST_VARIANCE, xyxy_to_measured
from models.results import Float32, Image
from tests.app.tracking.scenes import box


def unit(k: int) -> Float32:
    vector: Float32 = np.eye(8, dtype=np.float32)[k]
    return vector


def test_a_gallery_is_bounded_and_keeps_the_newest() -> None:
    gallery = Gallery(3)
    for k in range(6):
        gallery.add(unit(k), k)
    assert len(gallery) == 3
    assert [gallery.similarity(unit(k)) for k in range(6)] == [0, 0, 0, 1, 1, 1]
    assert gallery.n_bytes == 3 * 8 * 4


def test_what_is_old_is_forgotten() -> None:
    gallery = Gallery(3)
    gallery.add(unit(0), 100)
    gallery.add(unit(1), 200)
    gallery.forget(150)
    assert (gallery.similarity(unit(0)), gallery.similarity(unit(1)), len(gallery)) == (0, 1, 1)


def test_zeros_are_not_kept() -> None:
    gallery = Gallery(3)
    gallery.add(np.zeros(8, np.float32), 0)
    assert not gallery.is_useful


def test_a_picture_is_embedded_once_and_only_when_the_vectors_are_old() -> None:
    gallery, calls = Gallery(3), []

    def embedder(image: Image, xyxy: Float32) -> Float32:
        calls.append((image.shape, xyxy.tolist()))
        return unit(2)[None]

    picture = snapshot_of(np.zeros((100, 100, 3), np.uint8), np.array([10.0, 20.0, 30.0, 60.0]), 500)
    assert picture is not None
    gallery.keep(picture)
    assert gallery.is_useful
    assert gallery.is_stale(0)
    gallery.embed(embedder)
    gallery.embed(embedder)
    assert calls == [((40, 20, 3), [[0.0, 0.0, 20.0, 40.0]])]
    gallery.keep(picture)
    assert not gallery.is_stale(400)
    assert gallery.is_stale(501)


def test_a_snapshot_is_a_small_copy() -> None:
    image = np.full((4000, 4000, 3), 3, np.uint8)
    picture = snapshot_of(image, np.array([-100.0, 0.0, 3000.0, 3900.0]), 0)
    image[:] = 0
    assert picture is not None
    assert max(picture.part.shape) <= LARGEST_SIDE_PX
    assert (picture.part == 3).all()
    np.testing.assert_allclose(picture.xyxy, [[-100 * 197 / 3000, 0, 197, 256]], rtol=1e-6)
    assert snapshot_of(image, np.array([4100.0, 0, 4200, 10]), 0) is None


def test_who_is_in_front_hides_who_is_behind() -> None:
    near, far, double = box(100, 100, 40, 80), box(110, 80, 40, 80), box(101, 100, 40, 80)
    hidden = hidden_shares(np.array([near, far]), np.array([near, far]))
    np.testing.assert_allclose(hidden, [0.0, 30 * 60 / (40 * 80)])
    np.testing.assert_array_equal(hidden_shares(np.array([near]), np.array([double])), [0.0])
    assert hidden_shares(np.zeros((0, 4)), np.zeros((0, 4))).shape == (0,)


def test_races_by_hand() -> None:
    near = np.array([[0.8, 0.0, 0.3], [0.7, 0.5, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(close_races(near, 0.3), [0.1, 0.2, np.inf], atol=1e-12)
    np.testing.assert_array_equal(close_races(np.array([[0.4]]), 1.0), [np.inf])


def seen_for(n_frames: int) -> KalmanFilters:
    filters = KalmanFilters()
    filters.add(xyxy_to_measured(np.array([box(100, 100, 40, 80)])), FIRST_VARIANCE)
    filters.var[:, 4:6] = 1.0 / n_frames
    return filters


def test_distance_is_that_of_the_definition() -> None:
    filters = seen_for(1)
    away = np.array([box(110, 100, 40, 80), box(100, 100, 40, 80)])
    sd = np.sqrt(FIRST_VARIANCE[0] + 1.0) * 0.06 * 80
    np.testing.assert_allclose(motion_distances(filters, np.array([1.0]), away), [[10 / sd, 0.0]], atol=1e-9)


@pytest.mark.parametrize("missed_s", [0.0, 1.0])
def test_nobody_outruns_the_gate(missed_s: float) -> None:
    filters = seen_for(1)
    filters.var[:, :2] = 1e6
    reach = (NEAR_HEIGHTS + FASTEST_HPS * missed_s) * 80
    boxes = np.array([box(100 + reach * share, 100, 40, 80) for share in (0.99, 1.01)])
    distances = motion_distances(filters, np.array([missed_s]), boxes)[0]
    assert distances[0] <= GATE
    assert distances[1] == np.inf


def test_a_child_is_not_a_grown_up() -> None:
    small = np.array([box(100, 100, 15, 30)])
    assert motion_distances(seen_for(1), np.array([1.0]), small)[0, 0] == np.inf
