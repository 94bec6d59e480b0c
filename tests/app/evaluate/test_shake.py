# SPDX-License-Identifier: Apache-2.0
"""The shaken camera: its maps, its pictures and its boxes belong together, and the tracker's evaluation reads them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.evaluate.camera_track import FlowCamera, pictures
from app.evaluate.motchallenge import Rows, read_sequence
from app.evaluate.shake import Shake, shaken_picture, shaken_rows, shaken_sequence, steps, window_size
from app.evaluate.shake_study import jitter_px, score_shake
from app.evaluate.track import evaluate_track
from device.errors import AppError
from models.camera_motion import motion_between
from models.results import Image
from models.similarity import identity, inverse, moved_points, then, turn_about
from tests.app.evaluate.test_track import make_sequence
from tests.conftest import need

SIZE_WH = (640, 480)


def texture() -> Image:
    noise = np.random.default_rng(3).integers(0, 256, (120, 160, 3), np.uint8)
    return np.asarray(cv2.resize(noise, SIZE_WH, interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize("amplitude_px", [0.0, 10.0, 1000.0])
def test_the_window_never_leaves_the_picture(amplitude_px: float) -> None:
    width, height = window_size(SIZE_WH)
    corners = np.array([[0.0, 0], [width, 0], [0, height], [width, height]])
    for seed in range(5):
        for matrix in Shake(seed, amplitude_px).maps(200, 25.0, SIZE_WH):
            seen = moved_points(inverse(matrix), corners)
            assert seen.min() >= 0.0
            assert (seen <= SIZE_WH).all()


def test_amplitude_is_the_root_mean_square_of_the_shift() -> None:
    middle = np.array([[320.0, 240.0]])
    for seed in range(3):
        maps = Shake(seed, 5.0).maps(20_000, 25.0, SIZE_WH)
        shift = np.concatenate([moved_points(matrix, middle) for matrix in maps]) - np.array(window_size(SIZE_WH)) / 2
        np.testing.assert_allclose(np.sqrt(np.square(shift).mean(axis=0)), 5.0, rtol=0.05)


def test_the_same_seed_shakes_in_the_same_way_and_another_does_not() -> None:
    first, again, other = (np.array(Shake(seed, 10.0).maps(50, 25.0, SIZE_WH)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other)[:, :, 2].max() > 5.0


def test_pictures_move_as_the_maps_say() -> None:
    maps = Shake(1, 20.0).maps(12, 25.0, SIZE_WH)
    before, now = (shaken_picture(texture(), maps[frame]) for frame in (10, 11))
    assert (before.shape[1], before.shape[0]) == window_size(SIZE_WH)
    exact = list(steps(maps))[11]
    found = motion_between(before, now).matrix
    corners = np.array([[0.0, 0.0], window_size(SIZE_WH)])
    assert np.linalg.norm(moved_points(exact, corners) - corners, axis=1).max() > 2.0
    np.testing.assert_allclose(moved_points(found, corners), moved_points(exact, corners), atol=0.3)


def test_boxes_move_with_the_picture_and_leave_with_it() -> None:
    xywh = np.array([[300.0, 200, 40, 80], [0, 200, 40, 80], [300, 200, 40, 80]])
    rows = Rows(np.array([1, 1, 3]), np.array([1, 2, 1]), xywh, np.ones(3))
    maps = [turn_about((0, 0), (-90.0, -70.0)), turn_about((0, 0), (0.0, 0.0)), turn_about((0, 0), (0, 0), scale=1.1)]
    found = shaken_rows(rows, maps, (448, 336))
    assert found.frame.tolist() == [1, 3]
    np.testing.assert_allclose(found.xywh, [[210, 130, 40, 80], [330, 220, 44, 88]])
    assert len(shaken_rows(rows, maps[:1], (448, 336)).frame) == 1


def test_jitter_of_known_steps() -> None:
    maps = [turn_about((0, 0), (3.0 * (i % 2), 4.0 * (i % 2))) for i in range(10)]
    assert jitter_px(maps, (100, 100)) == pytest.approx(5.0)


def with_pictures(folder: Path) -> Path:
    """The toy sequence with pictures of a camera that stands still."""
    (folder / "img1").mkdir()
    for frame in range(1, 11):
        cv2.imwrite(str(folder / f"img1/{frame:06}.jpg"), texture())
    return folder


@pytest.mark.parametrize("way", ["lk", "flow"])
def test_evaluation_with_a_camera_that_stands_still(tmp_path: Path, way: str) -> None:
    pytest.importorskip("trackeval")
    folder = with_pictures(make_sequence(tmp_path / "toy"))
    plain, told = evaluate_track(folder), evaluate_track(folder, camera_motion=way)
    assert {key: told[key] for key in ("mota", "idf1", "hota", "n")} == pytest.approx(
        {key: plain[key] for key in ("mota", "idf1", "hota", "n")}
    )
    assert told["camera_motion"] == way
    assert told["camera_known"] == pytest.approx(0.9)  # nothing is before the first picture
    assert told["camera_ms_p50"] > 0.0
    assert "camera_motion" not in plain


def test_a_real_camera_that_stands_still_changes_no_figure() -> None:
    pytest.importorskip("trackeval")
    folder = need("mot/TUD-Campus")
    plain, told = evaluate_track(folder), evaluate_track(folder, camera_motion="lk")
    same = ("mota", "idf1", "hota", "id_switches", "n")
    assert {key: told[key] for key in same} == {key: plain[key] for key in same}


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    folder = with_pictures(make_sequence(tmp_path / "toy"))
    (folder / "img1/000007.jpg").write_bytes(b"no picture")
    with pytest.raises(AppError, match=r"expected .*000007\.jpg, found no readable picture; .* --camera-motion none"):
        evaluate_track(folder, camera_motion="lk")
    (folder / "img1/000007.jpg").unlink()
    with pytest.raises(AppError, match=r"000007\.jpg, found nothing"):
        evaluate_track(folder, camera_motion="flow")
    with pytest.raises(AppError, match="no camera motion is called 'magic': expected one of none, lk, flow"):
        evaluate_track(folder, camera_motion="magic")


def test_the_first_picture_and_another_size_move_nothing() -> None:
    camera = FlowCamera()
    for image in (texture(), texture()[:300]):
        found = camera(image)
        assert not found.is_known
        np.testing.assert_array_equal(found.matrix, identity())


def test_the_steps_lead_from_the_first_window_to_each() -> None:
    maps = Shake(4, 15.0).maps(20, 25.0, SIZE_WH)
    at = maps[0]
    for step, matrix in zip(steps(maps), maps, strict=True):
        at = then(at, step)
        np.testing.assert_allclose(at, matrix, atol=1e-9)


def test_knowing_the_camera_keeps_numbers_on_shaken_campus() -> None:
    """TUD-Campus from a still camera, shaken (SYNTHETIC) by 30 px: corners give what the exact map gives."""
    pytest.importorskip("trackeval")
    folder = need("mot/TUD-Campus")
    sequence = read_sequence(folder, need("mot_sort_det/TUD-Campus") / "det/det.txt")
    figures = score_shake(Shake(1, 30.0), [sequence], [list(pictures(folder, sequence.n_frames))])
    assert figures["lk"]["idf1"] > figures["none"]["idf1"] + 0.05
    assert figures["lk"]["mota"] > figures["none"]["mota"]
    assert abs(figures["lk"]["idf1"] - figures["exact"]["idf1"]) < 0.02
    assert shaken_sequence(sequence, [], (448, 336)).truth is not None
