# SPDX-License-Identifier: Apache-2.0
"""Find the faces of a moving picture with two networks, cheaply."""

from __future__ import annotations

import numpy as np

from app.frame import Frame
from app.tracking.sort import Sort, SortSettings
from models.blazeface import FaceDetector, merge
from models.geometry import iou
from models.results import Detections, Float32, Image, Tracks

FULL_RANGE_PERIOD_NS = 300_000_000
"""The full range network (3 ms) looks for new far faces this often; the short range one (1 ms) on every frame."""
CLOSER_LOOKS = 2
"""Tracked faces that the short range network missed and looks at again, enlarged, in one frame (1 ms each)."""
CLOSER_SIDE = 4.0
"""Side of that enlarged square, in sides of the face: the network likes a face to fill a quarter of its picture."""
SAME_FACE_IOU = 0.3

FACE_TRACKING = SortSettings(
    n_init=2, certain_score=0.9, first_at_once=True, sure_score=0.6, max_age_s=1.5, coast_s=0.25
)
"""How faces are tracked, where it differs from people: BlazeFace is right more often than a person detector, so two
frames or one sure look are enough; a face is shown for 0.25 s after it was last seen, so that boxes do not flicker and
a far face stays between two looks of the full range network."""


class FaceFinder:
    """Detect and track faces: short range everywhere, full range now and then, a closer look at faces in between.

    The short range network misses faces further than about 2 m; the full range one finds them but takes three times
    as long. Once found, a far face is followed by the short range network in an enlarged square around it.
    """

    def __init__(self, short_range: FaceDetector, full_range: FaceDetector, tracker: Sort) -> None:
        self._short, self._full, self._tracker = short_range, full_range, tracker
        self._tracks: Tracks | None = None
        self._next_full_ns: int | None = None
        self._next_look = 0

    def detect(self, frame: Frame) -> Detections:
        """Return the faces of this frame; which networks run depends on the frames before and on `frame.t_ns`."""
        found = [self._short(frame.image)]
        if self._next_full_ns is None or frame.t_ns >= self._next_full_ns or frame.t_ns < self._next_full_ns - 10**9:
            self._next_full_ns = frame.t_ns + FULL_RANGE_PERIOD_NS
            found.append(self._full(frame.image))
        else:
            found += self._look_closer(frame.image, found[0])
        return join(found)

    def track(self, detections: Detections, t_ns: int) -> Tracks:
        self._tracks = self._tracker.update(detections, t_ns)
        return self._tracks

    def _look_closer(self, image: Image, seen: Detections) -> list[Detections]:
        """Look again where a track is and nothing was seen, `CLOSER_LOOKS` tracks a frame in turn."""
        missing = [] if self._tracks is None else [box for box in self._tracks.xyxy if not is_seen(box, seen)]
        looks = []
        for k in range(min(CLOSER_LOOKS, len(missing))):
            box = missing[(self._next_look + k) % len(missing)]
            centre, side = (box[:2] + box[2:]) / 2, float(max(box[2] - box[0], box[3] - box[1], 4.0))
            near = self._short.in_square(image, (float(centre[0]), float(centre[1])), CLOSER_SIDE * side)
            looks.append(near.take(iou(box, near.xyxy) > 0.1))
        self._next_look += CLOSER_LOOKS
        return looks


def is_seen(box: Float32, seen: Detections) -> bool:
    return bool((iou(box, seen.xyxy) > SAME_FACE_IOU).any())


def join(parts: list[Detections]) -> Detections:
    """Return the faces of several networks, each face once."""
    if len(parts) == 1 or sum(len(part) > 0 for part in parts) < 2:
        return next((part for part in parts if len(part)), parts[0])
    return merge(
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.points for part in parts]),
    )
