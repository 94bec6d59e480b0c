# SPDX-License-Identifier: Apache-2.0
"""MoveNet MultiPose: image in, the boxes of people with a first guess of their 17 keypoints out."""

from __future__ import annotations

import cv2
import numpy as np

from device.backend import Backend
from models.card import Card
from models.geometry import Letterbox, weighted_groups
from models.results import N_KEYPOINTS, Detections, Float32, Image, Poses

SAME_PERSON_IOU = 0.6
"""Boxes that overlap more are one person."""
AVERAGED_BELOW = 0.5
"""Pictures that shrink more are averaged first, or the warp would skip pixels."""
LARGEST_SCORE = 1.0


def fitted(image: Image, canvas: Image) -> Letterbox:
    """Scale `image` to fit `canvas` (h, w, 3), centred on black; `canvas` is overwritten. Pixel centres are aligned."""
    (height, width), (rows, columns) = image.shape[:2], canvas.shape[:2]
    scale = min(columns / width, rows / height)
    place = Letterbox(scale, (columns - width * scale) / 2, (rows - height * scale) / 2)
    step_x = step_y = 1 / scale
    if scale < AVERAGED_BELOW:
        small_wh = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
        step_x, step_y = small_wh[0] / (width * scale), small_wh[1] / (height * scale)
    # Canvas px u is centred at u + 0.5, which is (u + 0.5 - left) * step in the source.
    shift_x, shift_y = (0.5 - place.left) * step_x - 0.5, (0.5 - place.top) * step_y - 0.5
    matrix = np.array([[step_x, 0, shift_x], [0, step_y, shift_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(image, matrix, (columns, rows), dst=canvas, flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return place


class PersonDetector:
    """One MultiPose network; its card says the input size and the score from which a row is a person.

    Not for two threads at once: the input buffer is reused, so that no frame allocates.
    """

    def __init__(self, card: Card, backend: Backend) -> None:
        self.card, self._backend = card, backend
        width, height = (int(n) for n in card.input["size"])
        self._size_wh = width, height
        self._score_threshold = float(card.fields["score_threshold"])
        self._canvas: Image = np.zeros((height, width, 3), np.uint8)
        self._input = np.zeros((1, height, width, 3), np.int32)

    def __call__(self, image: Image) -> Detections:
        """Return the people of `image` (H, W, 3), boxes in px of it, not cut at its edges."""
        return self.poses(image).detections()

    def poses(self, image: Image) -> Poses:
        """Return the same with the network's own keypoints, by falling score."""
        place = fitted(image, self._canvas)
        self._input[0] = self._canvas
        raw = self._backend.run({self._backend.inputs[0].name: self._input})[self._backend.outputs[0].name]
        found = decode(np.asarray(raw[0], np.float32), self._size_wh, self._score_threshold)
        keypoints = np.concatenate([place.to_image(found.keypoints[..., :2]), found.keypoints[..., 2:]], axis=2)
        return Poses(keypoints, place.to_image(found.xyxy.reshape(-1, 2, 2)).reshape(-1, 4), found.score)

    def close(self) -> None:
        self._backend.close()


def decode(rows: Float32, size_wh: tuple[int, int], score_threshold: float) -> Poses:
    """Turn the network's rows (N, 56) into people in px of its input, each once, by falling score.

    A row is 17 x (y, x, score), then ymin, xmin, ymax, xmax, score, all 0..1 of the input. Rows without a finite box
    of some area are no people; keypoints that are no numbers are put into the middle of the box with score 0.
    """
    rows = rows[np.isfinite(rows[:, -5:]).all(axis=1)]
    score = np.clip(rows[:, -1], 0, LARGEST_SCORE)
    xyxy = (rows[:, [-4, -5, -2, -3]] * np.tile(np.array(size_wh, np.float32), 2)).astype(np.float32)
    is_person = (score >= score_threshold) & (xyxy[:, :2] < xyxy[:, 2:]).all(axis=1)
    rows, score, xyxy = rows[is_person], score[is_person], xyxy[is_person]
    best = np.array([k for k, _, _ in weighted_groups(xyxy, score, SAME_PERSON_IOU)], np.intp)
    yx_score = rows[best, : 3 * N_KEYPOINTS].reshape(-1, N_KEYPOINTS, 3)
    keypoints = yx_score[..., [1, 0, 2]] * np.array([*size_wh, 1], np.float32)
    return Poses(known_keypoints(keypoints, xyxy[best]), xyxy[best], score[best])


def known_keypoints(keypoints: Float32, xyxy: Float32) -> Float32:
    """Return keypoints (N, 17, 3) whose numbers are all finite: see `Poses`; scores are held to 0..1."""
    is_known = np.isfinite(keypoints).all(axis=2, keepdims=True)
    middle = (xyxy[:, None, :2] + xyxy[:, None, 2:]) / 2
    unknown = np.concatenate([middle, np.zeros_like(middle[..., :1])], axis=2)
    known = np.where(is_known, keypoints, unknown).astype(np.float32)
    known[..., 2] = np.clip(known[..., 2], 0, LARGEST_SCORE)
    return known
