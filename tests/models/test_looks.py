# SPDX-License-Identifier: Apache-2.0
"""Clothes and faces together, and a tracker that is not taken in by a stranger in the same clothes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.hybrid import Hybrid
from app.tracking.person import HybridSettings
from models import appearance
from models.appearance import StripeHistograms
from models.face_appearance import FacePatterns
from models.looks import N_DIMENSIONS, NEUTRAL_FACE, Looks
from models.results import Detections, Float32, Image
from tests.app.tracking.scenes import FRAME_NS, box, detections
from tests.models.test_face_appearance import NoFace, face_points

N_CLOTHES = appearance.N_DIMENSIONS
SIZE_WH = (640, 400)


def vector(clothes: list[float], face: list[float] | None = None) -> Float32:
    out = np.zeros(N_DIMENSIONS, np.float32)
    out[: len(clothes)] = clothes
    if face is not None:
        out[N_CLOTHES : N_CLOTHES + len(face)] = face
    return out


def test_without_a_face_on_both_sides_clothes_decide() -> None:
    with_face, without = vector([1.0], [1.0]), vector([0.6, 0.8])
    assert Looks.likeness(with_face, without) == Looks.likeness(without, with_face) == pytest.approx(0.6)


def test_a_strangers_face_outweighs_equal_clothes_and_ones_own_other_clothes() -> None:
    me, stranger = vector([1.0], [1.0, 0.0]), vector([1.0], [0.55, (1 - 0.55**2) ** 0.5])
    again = vector([0.88, (1 - 0.88**2) ** 0.5], [0.8, 0.6])
    take = HybridSettings().take_similarity
    assert Looks.likeness(me, stranger) < take < Looks.likeness(me, again)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_likeness_is_symmetrical_between_0_and_1(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = random.random((4, 9))
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    a, b = vector(parts[0].tolist(), parts[1].tolist()), vector(parts[2].tolist(), parts[3].tolist())
    assert Looks.likeness(a, b) == pytest.approx(Looks.likeness(b, a))
    assert 0.0 <= Looks.likeness(a, b) <= 1.0
    assert Looks.likeness(a, a) == pytest.approx(1.0, abs=1e-5)


def test_the_parts_are_those_of_both_embedders() -> None:
    image = np.random.default_rng(0).integers(0, 255, (90, 60, 3)).astype(np.uint8)
    boxes = np.array([[5, 5, 50, 85], [100, 100, 120, 140]], np.float32)
    found = Looks(FacePatterns(NoFace()))(image, boxes)
    np.testing.assert_array_equal(found[:, :N_CLOTHES], StripeHistograms()(image, boxes))
    assert not found[:, N_CLOTHES:].any()
    assert 0.5 < NEUTRAL_FACE < 0.8


class PaintedFaces:
    """Finds the one face of `person`'s pictures: it is where the blue channel says so."""

    def in_square(self, image: Image, centre_xy: tuple[float, float], side: float) -> Detections:
        rows, columns = np.nonzero(image[:, :, 2] == 255)
        if not len(rows):
            return Detections.empty(6)
        points = face_points(float(columns.mean()), float(rows.mean()), 24.0)
        xyxy = np.array([[columns.min(), rows.min(), columns.max(), rows.max()]], np.float32)
        return Detections(xyxy, np.full(1, 0.9, np.float32), np.zeros(1, np.int32), points[None])


def person(x: float, face_seed: int) -> Image:
    """Return a picture of somebody in grey at `x`, with a face of his own."""
    image: Image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    left, top, right, bottom = (int(v) for v in box(x, 200, 80, 320))
    image[top:bottom, left:right] = 90
    rough = np.random.default_rng(face_seed).integers(0, 250, (9, 9)).astype(np.uint8)
    soft = np.minimum(cv2.resize(rough, (66, 66), interpolation=cv2.INTER_CUBIC), 250)
    image[top + 10 : top + 76, int(x) - 33 : int(x) + 33] = soft[:, :, None]
    image[top + 42 : top + 44, int(x) - 2 : int(x) + 2, 2] = 255
    return image


def number_of_the_second(tracker: Hybrid, face_seed: int) -> int:
    """Show person 1 for ten frames, nobody for two seconds, then somebody dressed alike, and return his number."""
    shown = [person(200.0, 1)] * 10 + [None] * 50 + [person(220.0, face_seed)] * 5
    for k, image in enumerate(shown):
        x = 200.0 if k < 10 else 220.0
        tracker.show(np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8) if image is None else image)
        tracks = tracker.update(detections([] if image is None else [box(x, 200, 80, 320)]), k * FRAME_NS)
    return int(tracks.track_id[0])


def test_a_stranger_in_the_same_clothes_gets_a_number_of_his_own() -> None:
    looks = Looks(FacePatterns(PaintedFaces()))
    assert number_of_the_second(Hybrid(embedder=StripeHistograms()), face_seed=2) == 1  # by clothes he is taken for 1
    assert number_of_the_second(Hybrid(embedder=looks, likeness=Looks.likeness), face_seed=2) == 2
    assert number_of_the_second(Hybrid(embedder=looks, likeness=Looks.likeness), face_seed=1) == 1
