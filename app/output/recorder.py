# SPDX-License-Identifier: Apache-2.0
"""Record the annotated picture as a video that plays whatever happens (see app.output.mp4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from app.frame import FrameResult
from app.output.mp4 import Mp4Writer
from app.output.queued_file import OutputError, QueuedFile
from app.runtime.worker import OnError
from models.results import Image

QUEUE = 8
"""Frames waiting for the encoder: a quarter of a second at 30 fps."""
JPEG_QUALITY = 85
UNKNOWN_FPS = 30.0

Annotate = Callable[[FrameResult[Any]], Image]
"""Draws a result on a copy of its frame (the user interface gives it, so that only it needs Qt)."""


class VideoEncoder:
    """Draws the result, encodes it as JPEG and appends it with the time of its frame."""

    def __init__(self, fps: float, annotate: Annotate) -> None:
        """`fps` sets how long the last frame is shown; <= 0 (unknown) counts as 30."""
        self._fps, self._annotate = fps if fps > 0 else UNKNOWN_FPS, annotate
        self._writer: Mp4Writer | None = None
        self._size_wh, self._first_ns = (0, 0), 0

    def add(self, file: BinaryIO, result: FrameResult[Any]) -> None:
        image = self._annotate(result)
        if self._writer is None:
            self._size_wh, self._first_ns = (image.shape[1], image.shape[0]), result.frame.t_ns
            self._writer = Mp4Writer(file, self._size_wh, self._fps)
        if (image.shape[1], image.shape[0]) != self._size_wh:  # a camera came back with another size
            image = np.asarray(cv2.resize(image, self._size_wh), np.uint8)
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        is_encoded, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not is_encoded:
            raise OutputError(f"frame {result.frame.seq} of {image.shape[1]}x{image.shape[0]} could not be encoded")
        self._writer.write(jpeg.tobytes(), (result.frame.t_ns - self._first_ns) / 1e9)

    def finish(self, file: BinaryIO) -> None:
        if self._writer is not None:
            self._writer.finish()


def open_recorder(path: Path, fps: float, annotate: Annotate, is_lossless: bool, on_error: OnError) -> QueuedFile:
    """Begin a recording; raises OutputError when `path` cannot be written."""
    return QueuedFile("recorder", path, VideoEncoder(fps, annotate), QUEUE, is_lossless, on_error)
