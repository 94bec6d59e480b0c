# SPDX-License-Identifier: Apache-2.0
"""Our decode of BlazeFace against MediaPipe's own detector, recorded by tests/data/record_faces.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.build import Networks
from models.blazeface import FaceDetector, anchors
from models.geometry import iou
from models.results import Image
from tests.data.pictures import golden_pictures

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data/faces_mediapipe.json").read_text())
PICTURES = [name for name in GOLDEN if name != "mediapipe"]


@pytest.fixture(scope="module")
def networks() -> Iterator[Networks]:
    with Networks() as found:
        yield found


@pytest.fixture(scope="module")
def short_range(networks: Networks) -> FaceDetector:
    return networks.face_detector("blazeface_short")


@pytest.fixture(scope="module")
def pictures() -> dict[str, Image]:
    return golden_pictures()


@pytest.fixture(scope="module")
def astronaut(pictures: dict[str, Image]) -> Image:
    return pictures["astronaut"]


@pytest.mark.parametrize("name", PICTURES)
def test_agrees_with_mediapipe(name: str, pictures: dict[str, Image], short_range: FaceDetector) -> None:
    found = short_range(pictures[name])
    assert len(found) == len(GOLDEN[name])
    for expected in GOLDEN[name]:
        x, y, w, h = expected["xywh"]
        overlap = iou(np.array([x, y, x + w, y + h], np.float32), found.xyxy)
        best = int(overlap.argmax())
        assert overlap[best] >= 0.9
        assert found.score[best] == pytest.approx(expected["score"], abs=1e-3)
        assert np.abs(found.points[best] - np.array(expected["points"])).max() < 0.1  # px


def test_golden_has_faces_to_compare() -> None:
    assert sum(len(GOLDEN[name]) for name in PICTURES) >= 10


def test_anchor_counts_and_order() -> None:
    short = anchors([(16, 2), (8, 6)])
    assert short.shape == (896, 2)
    assert np.allclose(short[:4], [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32], [3 / 32, 1 / 32]])
    assert np.allclose(short[512], [1 / 16, 1 / 16])
    assert anchors([(48, 1)]).shape == (2304, 2)


def test_closer_look_finds_the_same_face(short_range: FaceDetector, astronaut: Image) -> None:
    box = short_range(astronaut).xyxy[0]
    centre = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
    near = short_range.in_square(astronaut, centre, 4 * float(box[2] - box[0]))
    assert iou(box, near.xyxy).max() > 0.8


def test_full_range_finds_a_far_face_that_short_range_misses(networks: Networks, astronaut: Image) -> None:
    small = cv2.resize(astronaut, (200, 200), interpolation=cv2.INTER_AREA)
    far = np.full((480, 640, 3), 90, np.uint8)
    far[200:400, 300:500] = small
    assert len(networks.face_detector("blazeface_short")(far)) == 0
    assert len(networks.face_detector("blazeface_full")(far)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 7), (4320, 7680)])
def test_odd_sizes_have_no_face_and_do_not_fail(shape: tuple[int, int], short_range: FaceDetector) -> None:
    assert len(short_range(np.full((*shape, 3), 90, np.uint8))) == 0
