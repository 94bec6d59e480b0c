# SPDX-License-Identifier: Apache-2.0
"""A source whose pictures are turned, unbent and cut before anything else sees them."""

from __future__ import annotations

import dataclasses

import numpy as np

from app.frame import Frame, Truth
from app.sources.source import Source
from models.picture_geometry import Geometry, PictureGeometry


def adapted(source: Source, geometry: Geometry) -> Source:
    """Return a source of changed pictures, `source` itself where nothing is to be changed."""
    return source if geometry.is_plain else Adapted(source, geometry)


class Adapted(Source):
    """The frames of another source through a geometry: what is shown, recorded and looked at is the changed picture.

    In the thread that reads. A truth keeps its boxes, as the bounds of what they hold; its flow is dropped.
    """

    def __init__(self, source: Source, geometry: Geometry) -> None:
        self._source, self._picture = source, PictureGeometry(geometry)
        self.name, self.fps = source.name, source.fps
        self.size_wh = self._picture.size_wh(source.size_wh)

    def read(self) -> Frame:
        """Return the next frame; raises what the source raises."""
        frame = self._source.read()
        height, width = frame.image.shape[:2]
        truth = None if frame.truth is None else self._moved(frame.truth, (width, height))
        return dataclasses.replace(frame, image=self._picture(frame.image), truth=truth)

    def close(self) -> None:
        self._source.close()

    def _moved(self, truth: Truth, size_wh: tuple[int, int]) -> Truth:
        """Return the boxes that can still be seen, around their old edges (four points a side)."""
        share = np.linspace(0.0, 1.0, 5)
        ends = np.concatenate([np.stack([share, np.full(5, k)], 1) for k in (0.0, 1.0)])
        ring = np.concatenate([ends, ends[:, ::-1]])  # (20, 2) shares of a box
        low, high = truth.xyxy[:, None, :2].astype(np.float64), truth.xyxy[:, None, 2:].astype(np.float64)
        moved = self._picture.from_source(low + ring * (high - low), size_wh)
        xyxy = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1).astype(np.float32).reshape(-1, 4)
        width, height = self._picture.size_wh(size_wh)
        is_seen = (xyxy[:, 2:] > 0).all(axis=1) & (xyxy[:, 0] < width) & (xyxy[:, 1] < height)  # False for NaN
        return Truth(truth.track_id[is_seen], xyxy[is_seen], of_people=truth.of_people)
