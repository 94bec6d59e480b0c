# SPDX-License-Identifier: Apache-2.0
"""The source `synthetic-top`: people who walk below a ceiling camera, drawn, with exact truth."""

from __future__ import annotations

import time

from app.frame import Frame
from app.sources.pace import Pace, Pacer
from app.sources.source import EndOfStream, Source, SourceError
from app.sources.top_scene import TopScene


class SyntheticTop(Source):
    """Frames of the room of `seed`, each with its Truth; the same arguments give the same bytes.

    Truth.xyxy is the box of everybody of whom at least half can be seen; Truth.track_id is the same for one person from
    entering to leaving. At pace "realtime" frames the reader is late for are dropped.
    """

    def __init__(
        self,
        seed: int = 0,
        size_wh: tuple[int, int] = (640, 480),
        fps: float = 30.0,
        pace: Pace = "realtime",
        n_frames: int | None = None,
    ) -> None:
        if min(size_wh) < 1 or fps <= 0 or seed < 0:
            raise SourceError(
                f"synthetic-top needs seed >= 0, a size and fps > 0, got seed {seed}, {size_wh}, {fps} fps"
            )
        self.name, self.size_wh, self.fps = f"synthetic-top:{seed}", size_wh, fps
        self._scene: TopScene | None = TopScene(seed, size_wh)
        self._pacer = Pacer() if pace == "realtime" else None
        self._n_frames, self._next = n_frames, 0

    def read(self) -> Frame:
        """Return the next frame; at pace "realtime" wait until it is due."""
        if self._scene is None:
            raise SourceError(f"{self.name} is closed; make a new one")
        seq = self._next
        if self._pacer is not None:
            seq += max(0, int(self._pacer.late_ns(self._t_ns(seq)) * self.fps / 1e9))
        if self._n_frames is not None and seq >= self._n_frames:
            raise EndOfStream
        self._next = seq + 1
        image, truth = self._scene.snapshot(seq / self.fps)
        if self._pacer is not None:
            self._pacer.wait(self._t_ns(seq))
        return Frame(image, seq, time.monotonic_ns(), self._t_ns(seq), truth)

    def close(self) -> None:
        """Free the picture of the floor."""
        self._scene = None

    def _t_ns(self, seq: int) -> int:
        return round(seq * 1e9 / self.fps)
