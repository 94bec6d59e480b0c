# SPDX-License-Identifier: Apache-2.0
"""The synthetic source: a procedural scene with its truth, for demos, tests and measurements without data."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from app.frame import Frame, Truth
from app.sources.pace import Pace, Pacer
from app.sources.scene import Scene, Snapshot
from app.sources.source import EndOfStream, Source, SourceError


class Synthetic(Source):
    """Frames of the scene of `seed`, each with its Truth; the same arguments give the same bytes.

    Truth.xyxy is the box of every face of which at least 60 % can be seen, whole even where it leaves the picture;
    Truth.track_id is the same for one person from entering to leaving. With `with_flow`, Truth.flow_uv is exact, from
    the frame read before to this one: the surface seen at pixel p of this frame was at p - uv(p) in that one; the first
    frame has zeros. It costs more than the drawing. At pace "realtime" frames the reader is late for are dropped.
    """

    def __init__(
        self,
        seed: int = 0,
        size_wh: tuple[int, int] = (640, 480),
        fps: float = 30.0,
        pace: Pace = "realtime",
        n_frames: int | None = None,
        with_flow: bool = False,
    ) -> None:
        if min(size_wh) < 1 or fps <= 0 or seed < 0:
            raise SourceError(f"synthetic needs seed >= 0, a size and fps > 0, got seed {seed}, {size_wh}, {fps} fps")
        self.name = f"synthetic:{seed}"
        self.size_wh = size_wh
        self.fps = fps
        self._scene: Scene | None = Scene(seed, size_wh)
        self._pacer = Pacer() if pace == "realtime" else None
        self._n_frames = n_frames
        self._with_flow = with_flow
        self._next = 0
        self._before_s: float | None = None

    def read(self) -> Frame:
        """Return the next frame; at pace "realtime" wait until it is due."""
        if self._scene is None:
            raise SourceError(f"{self.name} is closed; make a new one")
        seq = self._next + self._n_late()
        if self._n_frames is not None and seq >= self._n_frames:
            raise EndOfStream
        self._next = seq + 1
        snapshot = self._scene.snapshot(seq / self.fps)
        truth = self._add_flow(self._scene, snapshot) if self._with_flow else snapshot.truth
        if self._pacer is not None:
            self._pacer.wait(self._t_ns(seq))
        return Frame(snapshot.image, seq, time.monotonic_ns(), self._t_ns(seq), truth)

    def close(self) -> None:
        """Free the pictures."""
        self._scene = None

    def _t_ns(self, seq: int) -> int:
        return round(seq * 1e9 / self.fps)

    def _n_late(self) -> int:
        """Return how many frames the reader is too late for."""
        if self._pacer is None:
            return 0
        return max(0, int(self._pacer.late_ns(self._t_ns(self._next)) * self.fps / 1e9))

    def _add_flow(self, scene: Scene, now: Snapshot) -> Truth:
        before_s, self._before_s = self._before_s, now.time_s
        if before_s is None:
            return replace(now.truth, flow_uv=np.zeros((*now.label.shape, 2), np.float32))
        return replace(now.truth, flow_uv=scene.flow_uv(now, before_s))
