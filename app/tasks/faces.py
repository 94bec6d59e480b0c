# SPDX-License-Identifier: Apache-2.0
"""Find the faces of a moving picture with two networks, cheaply."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.frame import Frame
from app.tracking.sort import Sort, SortSettings
from models.blazeface import FaceDetector, merge
from models.camera_motion import CameraMotion
from models.geometry import iou
from models.results import NOT_SEARCHED, Detections, Float32, Image, Tracks

FULL_RANGE_PERIOD_NS = 500_000_000
"""The full range network (3 ms) looks for new far faces this often; the short range one takes 1 ms."""
DOUBT_WAIT_NS = 400_000_000
"""A doubtful new face brings the next look of the full range network forward by so much (to 0.1 s after the last)."""
SURE_ALONE = 0.75
"""A new face of the short range network below this score counts only if the full range one sees it too. Measured on
LFW and eleven clips: of the faces that only the short range network saw, all 25 in LFW were above 0.76, and 306 of 310
in the clips (hands on a chest, backs of heads) below 0.75."""
CLOSER_LOOKS = 2
"""Tracked faces that the short range network missed and looks at again, enlarged, in one frame (1 ms each)."""
CLOSER_SIDE = 4.0
"""Side of that enlarged square, in sides of the face: the network likes a face to fill a quarter of its picture."""
SAME_FACE_IOU = 0.3
CALM_AGE_S = 0.5
CALM_STEP_S = 0.1
CALM_MOTION = 0.05
"""When a frame need not be searched: all faces known for 0.5 s and moving less than 5 % of their size in a frame, and
frames less than 0.1 s apart. The predicted box is then well inside what the expression network was trained to bear."""

FACE_TRACKING = SortSettings(
    n_init=2, certain_score=0.9, first_at_once=True, sure_score=0.6, max_age_s=1.5, coast_s=0.25
)
"""How faces are tracked, where it differs from people: BlazeFace is right more often than a person detector, so two
frames or one sure look are enough; a face is shown for 0.25 s after it was last seen, so that boxes do not flicker and
a far face stays between two looks of the full range network."""


class CameraFollower(Protocol):
    """Finds how the camera moved since the picture given before; keeps state, one thread at a time."""

    def __call__(self, image: Image, objects_xyxy: Float32 | None = None) -> CameraMotion:
        """Return the motion to `image`; `objects_xyxy` (N, 4) px: what moved by itself in the picture before."""


class FaceFinder:
    """Detect and track faces: short range often, full range now and then, a closer look at faces in between.

    The short range network misses faces further than about 2 m; the full range one finds them but takes three times
    as long. Once found, a far face is followed by the short range network in an enlarged square around it.
    While every face is found, known for a while and slow, only every second frame is searched.
    """

    def __init__(self, short_range: FaceDetector, full_range: FaceDetector, tracker: Sort) -> None:
        self._short, self._full, self._tracker = short_range, full_range, tracker
        self._tracks: Tracks | None = None
        self._next_full_ns = -(2**62)  # long ago: the first frame is due
        self._next_look = 0
        self._t_ns = 0

    def detect(self, frame: Frame) -> Detections | None:
        """Return the faces of this frame, None when it need not be searched.

        Which networks run depends on the frames before and on `frame.t_ns`, never on the clock.
        """
        step_s, self._t_ns = abs(frame.t_ns - self._t_ns) / 1e9, frame.t_ns
        is_full_due = not 0 < self._next_full_ns - frame.t_ns <= FULL_RANGE_PERIOD_NS
        if not is_full_due and self._tracks is not None and is_calm(self._tracks, step_s):
            return None
        near = self._short(frame.image)
        is_doubtful = self._is_doubtful(near)
        if is_full_due or (is_doubtful.any() and frame.t_ns >= self._next_full_ns - DOUBT_WAIT_NS):
            self._next_full_ns = frame.t_ns + FULL_RANGE_PERIOD_NS
            far = self._full(frame.image)
            believed = ~is_doubtful | np.array([is_seen(box, far) for box in near.xyxy], bool)
            return join([near.take(believed), far])
        near = near.take(~is_doubtful)
        return join([near, *self._look_closer(frame.image, near)])

    def follow_camera(self, camera: CameraFollower, frame: Frame) -> None:
        """Tell the tracker how the camera moved up to this frame, before `detect` and `track`; faces do not count."""
        faces = None if self._tracks is None else self._tracks.xyxy
        height, width = frame.image.shape[:2]
        self._tracker.move(camera(frame.image, faces).beyond_noise((width, height)))

    def track(self, detections: Detections | None, t_ns: int) -> Tracks:
        """Return the faces at `t_ns` from what `detect` gave."""
        if detections is not None:
            self._tracks = self._tracker.update(detections, t_ns)
        else:
            predicted = self._tracker.predict(t_ns)
            unsearched = np.full(len(predicted), NOT_SEARCHED, np.int32)
            self._tracks = dataclasses.replace(predicted, detection_index=unsearched)
        return self._tracks

    def _is_doubtful(self, near: Detections) -> NDArray[np.bool_]:
        """Which faces (N,) are new and not sure enough to be believed without the full range network."""
        known = Detections.empty().xyxy if self._tracks is None else self._tracks.xyxy
        is_new = np.array([not (iou(box, known) > SAME_FACE_IOU).any() for box in near.xyxy], bool)
        return is_new & (near.score < SURE_ALONE)

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


def is_calm(tracks: Tracks, step_s: float) -> bool:
    """Whether every track was found in the last frame, is old enough and moves little in one step of `step_s`."""
    if not len(tracks) or step_s > CALM_STEP_S:
        return False
    motion = np.abs(tracks.velocity).max(axis=1) * step_s
    side = (tracks.xyxy[:, 2:] - tracks.xyxy[:, :2]).max(axis=1)
    is_found = (tracks.detection_index >= 0).all() and (tracks.age_s > CALM_AGE_S).all()
    return bool(is_found and (motion < CALM_MOTION * side).all())


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
