# SPDX-License-Identifier: Apache-2.0
"""The built-in demo: a fetched clip that plays as long as the window is open. Fetching it is models.fetch's."""

from __future__ import annotations

from pathlib import Path

from app.frame import Frame
from app.sources.clip import Clip
from app.sources.pace import Pace
from app.sources.source import EndOfStream


class Demo(Clip):
    """A clip that loops at pace "realtime" and plays once at pace "max", so that a headless run ends.

    With `n_frames` it ends after that many frames instead, looping if the clip is shorter.
    """

    def __init__(self, path: Path | str, pace: Pace = "realtime", n_frames: int | None = None) -> None:
        super().__init__(path, pace, loop=pace == "realtime" or n_frames is not None)
        self.name = f"demo ({self.name})"
        self._n_left = n_frames

    def read(self) -> Frame:
        """Return the next frame."""
        if self._n_left == 0:
            raise EndOfStream
        frame = super().read()
        if self._n_left is not None:
            self._n_left -= 1
        return frame
