# SPDX-License-Identifier: Apache-2.0
"""The steadied picture, as a stage after any task: what is shown changes, what the task sees does not."""

from __future__ import annotations

from typing import Any

from app.frame import Frame, Steady
from app.runtime.meters import StageTimes
from models.results import Float32, Tracks
from models.stabiliser import Stabiliser


class SteadyPicture:
    """Steadies the pictures of one stream while it is on. Inference thread; `switch` may be called from any thread."""

    def __init__(self, is_on: bool = False) -> None:
        self._is_on = is_on
        self._stabiliser: Stabiliser | None = None
        self._objects: Float32 | None = None

    def switch(self, is_on: bool) -> None:
        """Steady the pictures from the next frame on, or no more."""
        self._is_on = is_on

    def __call__(self, frame: Frame, output: Any, times: StageTimes) -> Steady | None:
        """Return the picture of `frame` steadied, None while it is off; its time goes to the stage `stabilise`."""
        if not self._is_on:
            self._stabiliser = None  # switched on again it begins anew
            return None
        with times.stage("stabilise"):
            self._stabiliser = self._stabiliser or Stabiliser()
            found = self._stabiliser(frame.image, frame.t_ns, self._objects)
            self._objects = moving_boxes(output)
            return Steady(found.image, found.matrix)


def moving_boxes(output: Any) -> Float32 | None:
    """Return the boxes (N, 4) of what a task follows, None where it follows nothing: they move without the camera."""
    tracks = getattr(output, "tracks", None)
    return tracks.xyxy if isinstance(tracks, Tracks) else None
