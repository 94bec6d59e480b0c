# SPDX-License-Identifier: Apache-2.0
"""Patterns of faces: the codes against a plain loop, what does not change them, and faces that cannot be seen."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.face_appearance import (
    LEAST_SIDE_PX,
    N_CODES,
    N_DIMENSIONS,
    RING,
    SIZE,
    UNIFORM,
    FacePatterns,
    codes,
    described,
    upright,
)
from models.results import Detections, Float32, Image

SEEDS = st.integers(0, 2**32 - 1)
SCENE_WH = (320, 240)


def scene(seed: int = 0) -> Image:
    """Return soft patterns without a face."""
    random = np.random.default_rng(seed)
    rough = random.integers(0, 255, (24, 32, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(rough, SCENE_WH, interpolation=cv2.INTER_CUBIC), np.uint8)


def face_points(x: float, y: float, eyes_px: float, turn_rad: float = 0.0) -> Float32:
    """Return the six points of a face whose eyes are `eyes_px` apart around (x, y), turned clockwise."""
    plain = np.array([[-0.5, 0], [0.5, 0], [0, 0.55], [0, 0.95], [-0.9, 0.2], [0.9, 0.2]]) * eyes_px
    cosine, sine = math.cos(turn_rad), math.sin(turn_rad)
    return np.asarray(plain @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y), np.float32)


class OneFace:
    """Finds a face at given points, whatever the picture shows; remembers where it was asked to look."""

    def __init__(self, points: Float32, score: float = 0.9) -> None:
        self.points, self.score = points, score
        self.asked: list[tuple[tuple[float, float], float]] = []

    def in_square(self, image: Image, centre_xy: tuple[float, float], side: float) -> Detections:
        self.asked.append((centre_xy, side))
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        xyxy = np.concatenate([low, high])[None].astype(np.float32)
        return Detections(xyxy, np.array([self.score], np.float32), np.zeros(1, np.int32), self.points[None])


class NoFace:
    def in_square(self, image: Image, centre_xy: tuple[float, float], side: float) -> Detections:
        return Detections.empty(6)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(3, 12), st.integers(3, 12))
def test_codes_are_those_of_a_plain_loop(seed: int, height: int, width: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 5, (height, width)).astype(np.uint8)
    wanted = np.zeros((height - 2, width - 2), np.uint8)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            bits = [int(grey[y + down, x + right] >= grey[y, x]) for down, right in RING]
            wanted[y - 1, x - 1] = sum(bit << k for k, bit in enumerate(bits))
    np.testing.assert_array_equal(codes(grey), wanted)


def test_there_are_58_uniform_codes() -> None:
    """Ahonen et al. 2006, section 3: of the 256 codes of eight neighbours."""
    assert sorted(set(UNIFORM.tolist())) == list(range(N_CODES))
    assert (UNIFORM == N_CODES - 1).sum() == 256 - 58
    assert UNIFORM[0b00000000] != UNIFORM[0b11111111] != N_CODES - 1
    assert UNIFORM[0b01010101] == N_CODES - 1


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(-40, 40))
def test_a_vector_has_length_1_and_does_not_see_the_light(seed: int, brighter: int) -> None:
    grey = np.random.default_rng(seed).integers(50, 200, (SIZE, SIZE, 1))
    vector, lit = (described(np.tile(each, 3).astype(np.uint8)) for each in (grey, grey + brighter))
    assert vector.shape == (N_DIMENSIONS,)
    assert vector.min() >= 0.0
    assert float(vector @ vector) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(vector, lit)


@pytest.mark.parametrize("turn_deg", [-35.0, -10.0, 10.0, 35.0])
def test_a_head_held_aslant_looks_alike(turn_deg: float) -> None:
    image, turn = scene(3), math.radians(turn_deg)
    middle = (160.0, 120.0)
    matrix = cv2.getRotationMatrix2D((middle[0] - 0.5, middle[1] - 0.5), -turn_deg, 1.0)
    turned = np.asarray(cv2.warpAffine(image, matrix, SCENE_WH, flags=cv2.INTER_CUBIC), np.uint8)
    plain, aslant = upright(image, face_points(*middle, 40)), upright(turned, face_points(*middle, 40, turn))
    other = upright(scene(4), face_points(*middle, 40))
    assert plain is not None
    assert aslant is not None
    assert other is not None
    likeness = float(described(plain) @ described(aslant))
    assert likeness > 0.75
    assert likeness > float(described(plain) @ described(other)) + 0.2


def test_the_head_is_looked_for_at_the_top_of_the_person() -> None:
    face = OneFace(face_points(100, 60, 30))
    vector = FacePatterns(face)(scene(), np.array([[50, 20, 150, 230]], np.float32))
    assert vector.any()
    ((x, y), side) = face.asked[0]
    assert (x, y, side) == pytest.approx((100.0, 20 + 0.4 * 120, 120.0))


@pytest.mark.parametrize(
    ("face", "box"),
    [
        (NoFace(), [50, 20, 150, 230]),
        (OneFace(face_points(100, 60, 30), score=0.7), [50, 20, 150, 230]),
        (OneFace(face_points(100, 60, LEAST_SIDE_PX / 2.7)), [50, 20, 150, 230]),
        (OneFace(face_points(100, 60, math.nan)), [50, 20, 150, 230]),
        (OneFace(face_points(100, 60, 30)), [math.nan, 20, 150, 230]),
        (OneFace(face_points(100, 60, 30)), [50, 20, 50, 230]),
        (OneFace(face_points(100, 60, 30)), [50, 20, 60, 35]),
    ],
    ids=["nobody", "unsure", "far", "nan", "nan box", "no width", "small person"],
)
def test_whoever_has_no_face_to_be_seen_gets_zeros(face: OneFace | NoFace, box: list[float]) -> None:
    found = FacePatterns(face)(scene(), np.array([box], np.float32))
    assert found.shape == (1, N_DIMENSIONS)
    assert not found.any()


def test_of_two_faces_the_larger_is_the_persons() -> None:
    near, far = face_points(100, 60, 40), face_points(130, 60, 20)

    class Two(OneFace):
        def in_square(self, image: Image, centre_xy: tuple[float, float], side: float) -> Detections:
            both = [OneFace(points).in_square(image, centre_xy, side) for points in (far, near)]
            xyxy, points = (np.concatenate([getattr(each, name) for each in both]) for name in ("xyxy", "points"))
            return Detections(xyxy, np.array([0.95, 0.8], np.float32), np.zeros(2, np.int32), points)

    box = np.array([[50, 20, 150, 230]], np.float32)
    alone = FacePatterns(OneFace(near))(scene(), box)
    np.testing.assert_array_equal(FacePatterns(Two(near))(scene(), box), alone)


@pytest.mark.parametrize("shape", [(1, 1), (4320, 7680)])
def test_pictures_of_any_size(shape: tuple[int, int]) -> None:
    height, width = shape
    image = np.full((height, width, 3), 128, np.uint8)
    box = np.array([[0, 0, max(width, 40), max(height, 40)]], np.float32)
    vector = FacePatterns(OneFace(face_points(width / 2, height / 2, max(width / 4, 20))))(image, box)
    assert np.isfinite(vector).all()
