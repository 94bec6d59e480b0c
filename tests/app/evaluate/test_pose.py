# SPDX-License-Identifier: Apache-2.0
"""COCO folders: boxes in the place of masks, malformed files, and figures that are known beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.evaluate.coco_people import AREA_PER_BOX, person_mask, read_people
from app.evaluate.pose import coco_rows, evaluate_pose, score
from device.errors import AppError
from models.results import N_KEYPOINTS, Poses
from tests.conftest import need


def keypoints(left: float, top: float) -> list[float]:
    """Return 17 visible keypoints on a grid of 10 px."""
    return [v for k in range(N_KEYPOINTS) for v in (left + 10 * (k % 4), top + 10 * (k // 4), 2)]


def annotation(**changed: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 7, "bbox": [10, 20, 40, 50], "keypoints": keypoints(10, 20), **changed}


def folder(path: Path, *annotations: Any, **changed: Any) -> Path:
    """Write a folder with one grey picture of 100x80 px."""
    (path / "images").mkdir(parents=True)
    cv2.imwrite(str(path / "images/a.jpg"), np.full((80, 100, 3), 90, np.uint8))
    images = [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}]
    table = {"images": images, "annotations": list(annotations or [annotation()]), **changed}
    (path / "person_keypoints.json").write_text(json.dumps(table, indent=1))
    return path


def drawn(mask: np.ndarray[Any, Any], step: int = 10) -> str:
    return "\n".join("".join("#" if v else "." for v in row) for row in mask[step // 2 :: step, step // 2 :: step])


def test_a_mask_made_from_a_box() -> None:
    """A cell stands for 10x10 px; a box that leaves the picture is cut at its edge."""
    assert drawn(person_mask(annotation(bbox=[20, 10, 30, 40]), (80, 60))) == (
        "........\n..###...\n..###...\n..###...\n..###...\n........"
    )
    assert drawn(person_mask(annotation(bbox=[-20, 40, 50, 90]), (80, 60))) == (
        "........\n........\n........\n........\n###.....\n###....."
    )


def test_a_mask_made_from_a_polygon() -> None:
    """The lower left half of the same box."""
    half = annotation(bbox=[20, 10, 40, 40], segmentation=[[20, 10, 60, 50, 20, 50]])
    assert drawn(person_mask(half, (80, 60))) == "........\n..#.....\n..##....\n..###...\n..####..\n........"


def test_a_box_stands_for_a_mask_that_is_missing(tmp_path: Path) -> None:
    boxed = read_people(folder(tmp_path / "boxed")).dataset["annotations"][0]
    assert boxed["area"] == pytest.approx(40 * 50 * AREA_PER_BOX)
    assert (boxed["iscrowd"], boxed["num_keypoints"], boxed["category_id"]) == (0, 17, 1)
    given = read_people(folder(tmp_path / "given", annotation(area=1234.0))).dataset["annotations"][0]
    assert given["area"] == 1234.0
    polygon = annotation(segmentation=[[10, 20, 50, 20, 50, 70, 10, 70]])
    masked = read_people(folder(tmp_path / "masked", polygon)).dataset["annotations"][0]
    assert masked["area"] == pytest.approx(40 * 50, rel=0.05)


def test_people_found_where_they_are_score_1_and_shifted_ones_less(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    second = annotation(id=2, bbox=[50, 20, 40, 50], keypoints=keypoints(50, 20))
    people = read_people(folder(tmp_path / "toy", annotation(), second))
    rows = np.array([keypoints(10, 20), keypoints(50, 20)], np.float32).reshape(2, N_KEYPOINTS, 3)
    boxes, sure = np.zeros((2, 4), np.float32), np.array([0.9, 0.8], np.float32)
    exact = score(people, coco_rows(7, Poses(rows, boxes, sure)))
    assert (exact["ap"], exact["ar"], exact["ap_large"]) == (1.0, 1.0, None)
    one = score(people, coco_rows(7, Poses(rows[:1], boxes[:1], sure[:1])))
    assert one["ar"] == 0.5
    assert one["ap"] == pytest.approx(0.505, abs=0.001)
    shifted = rows.copy()
    shifted[..., 0] += 3
    figures = score(people, coco_rows(7, Poses(shifted, boxes, sure)))
    assert figures["ap_50"] == 1.0
    assert (figures["ap"] or 0) < 0.9
    assert score(people, []) == dict.fromkeys(exact, 0.0)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (annotation(keypoints=[1, 2, 2]), "annotations[1]: expected 51 finite numbers as keypoints, got [1, 2, 2]"),
        (annotation(keypoints=[None] * 51), "annotations[1]: expected 51 finite numbers as keypoints, got [None"),
        (annotation(bbox=[1, 2, float("nan"), 4]), "annotations[1]: expected 4 finite numbers as bbox, got [1, 2, nan"),
        (annotation(bbox=[1, 2, 0, 4]), "annotations[1]: expected a bbox left, top, width, height with an area"),
        (annotation(image_id=8), "annotations[1]: expected the image_id of one of the images, got 8"),
        (annotation(area="large"), "annotations[1]: expected a finite area, got 'large'"),
        (annotation(segmentation=[[1, 2, 3]]), "annotations[1]: expected a segmentation of polygons x, y, x, y"),
        (annotation(segmentation=["a"]), "annotations[1]: expected a segmentation of polygons x, y, x, y"),
        (17, "annotations[1]: expected an object, got 17"),
    ],
)
def test_a_malformed_annotation_is_told_with_its_line(tmp_path: Path, broken: Any, message: str) -> None:
    path = folder(tmp_path / "toy", annotation(), broken)
    with pytest.raises(AppError) as caught:
        evaluate_pose(path)
    text = (path / "person_keypoints.json").read_text().splitlines()
    begin = text.index(' "annotations": [')
    lines = [k for k, line in enumerate(text, start=1) if k > begin and line in ("  {", "  17")]
    assert str(caught.value).startswith(f"{path}/person_keypoints.json, line {lines[1]}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [],\n "annotations": [}', ", line 2: expected a JSON file of COCO annotations"),
        ("[]", ", line 1: expected an object with a list of images"),
        ('{"images": 3}', ", line 1: expected an object with a list of images"),
        ('{"images": [], "annotations": []}', " names no picture or no person"),
        ('{"images": [{"id": "x"}], "annotations": []}', ", line 1: images[0]: expected an object with a whole id"),
        ("\udce4", "expected a JSON file of COCO annotations"),
    ],
)
def test_a_malformed_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "person_keypoints.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(AppError) as caught:
        evaluate_pose(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="expected COCO keypoint annotations"):
        evaluate_pose(tmp_path)
    path = folder(tmp_path / "toy")
    (path / "images/a.jpg").unlink()
    with pytest.raises(AppError, match=r"a\.jpg is not a picture that can be read"):
        evaluate_pose(path)
    with pytest.raises(AppError, match=r"there is no card pose_w1a2|kernels"):
        evaluate_pose(path, "w1a2")


@pytest.mark.parametrize(("precision", "least_ap"), [("float", 0.5), ("int8", 0.47)])
def test_poses_of_the_coco_pictures(tmp_path: Path, precision: str, least_ap: float) -> None:
    pytest.importorskip("pycocotools")
    figures = evaluate_pose(need("pose_coco"), precision, results=tmp_path)
    assert figures["ap"] > least_ap
    assert figures["ar"] > least_ap
    assert (figures["n"], figures["pictures"], figures["backend"]) == (64, 28, "cpu")
    rows = json.loads((tmp_path / "results.json").read_text())
    assert len(rows) == figures["found"]
    assert {len(row["keypoints"]) for row in rows} == {51}
