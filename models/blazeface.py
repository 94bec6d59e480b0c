# SPDX-License-Identifier: Apache-2.0
"""BlazeFace (Bazarevsky et al. 2019, arXiv:1907.05047), short and full range: image in, face boxes out."""

from __future__ import annotations

import numpy as np

from device.backend import Backend
from models.card import Card
from models.geometry import crop_square, letterbox, weighted_groups
from models.results import Detections, Float32, Image

N_POINTS = 6
"""Right eye, left eye, nose tip, mouth, right ear, left ear (the person's own right and left)."""

IOU_THRESHOLD = 0.3
"""Boxes that overlap more are one face (MediaPipe's min_suppression_threshold)."""


def anchors(grids: list[tuple[int, int]]) -> Float32:
    """Return anchor centres (N, 2) in 0..1 for [(cells a side, anchors a cell)], row by row (as SsdAnchors)."""
    parts = []
    for n_cells, n_per_cell in grids:
        centre = (np.arange(n_cells, dtype=np.float32) + 0.5) / n_cells
        x, y = np.meshgrid(centre, centre)
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), n_per_cell, axis=0))
    return np.concatenate(parts)


class FaceDetector:
    """One BlazeFace network; its card says the input size, the anchor grids and the score threshold.

    Not for two threads at once: the input buffer is reused, so that no frame allocates.
    """

    def __init__(self, card: Card, backend: Backend) -> None:
        self.card, self._backend = card, backend
        self._size = int(card.input["size"])
        self._anchors = anchors([(int(n), int(k)) for n, k in card.input["anchor_grids"]])
        self._score_threshold = float(card.fields["score_threshold"])
        self._logit_threshold = float(np.log(self._score_threshold / (1 - self._score_threshold)))
        self._square: Image = np.zeros((self._size, self._size, 3), np.uint8)
        self._input = np.zeros((1, self._size, self._size, 3), np.float32)
        self._boxes_name, self._logits_name = (
            spec.name for spec in sorted(backend.outputs, key=lambda s: -s.shape[-1])
        )

    def __call__(self, image: Image) -> Detections:
        """Return the faces of `image` (H, W, 3), boxes in px of it, not cut at its edges."""
        place = letterbox(image, self._size, self._square)
        np.multiply(self._square, np.float32(1 / 127.5), out=self._input[0], dtype=np.float32)
        self._input -= 1
        raw = self._backend.run({self._backend.inputs[0].name: self._input})
        faces = self._decode(raw[self._boxes_name][0], raw[self._logits_name][0, :, 0])
        corners = place.to_image(faces.xyxy.reshape(-1, 2, 2)).reshape(-1, 4)
        return Detections(corners, faces.score, faces.class_id, place.to_image(faces.points))

    def in_square(self, image: Image, centre_xy: tuple[float, float], side: float) -> Detections:
        """Return the faces inside a square region of `image`, in px of `image`: a closer look at a far face."""
        scale = side / self._size
        faces = self(crop_square(image, centre_xy, side, self._size))
        corner = np.array([centre_xy[0] - side / 2, centre_xy[1] - side / 2], np.float32)
        xyxy = (faces.xyxy.reshape(-1, 2, 2) * np.float32(scale) + corner).reshape(-1, 4)
        return Detections(xyxy, faces.score, faces.class_id, faces.points * np.float32(scale) + corner)

    def close(self) -> None:
        self._backend.close()

    def _decode(self, regressors: Float32, logits: Float32) -> Detections:
        """Turn rows (anchors, 16) into faces in px of the square.

        A row is centre, size and six points in px; centre and points are relative to the anchor (which has size 1).
        """
        keep = np.flatnonzero(logits > self._logit_threshold)
        score = (1 / (1 + np.exp(-np.clip(logits[keep], -100, 100)))).astype(np.float32)
        pairs = regressors[keep].reshape(-1, 2 + N_POINTS, 2)
        anchor = self._anchors[keep] * self._size
        centre, half = pairs[:, 0] + anchor, pairs[:, 1] / 2
        xyxy, points = np.concatenate([centre - half, centre + half], axis=1), pairs[:, 2:] + anchor[:, None]
        return merge(xyxy, score, points)


def merge(xyxy: Float32, score: Float32, points: Float32) -> Detections:
    """Return one detection for every group of overlapping boxes: box and points averaged by score, the best score."""
    groups = list(weighted_groups(xyxy, score, IOU_THRESHOLD))
    if not groups:
        return Detections.empty(N_POINTS)
    return Detections(
        np.stack([weight @ xyxy[group] for _, group, weight in groups]).astype(np.float32),
        np.stack([score[best] for best, _, _ in groups]).astype(np.float32),
        np.zeros(len(groups), np.int32),
        np.stack([np.tensordot(weight, points[group], axes=1) for _, group, weight in groups]).astype(np.float32),
    )
