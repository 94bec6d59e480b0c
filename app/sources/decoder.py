# SPDX-License-Identifier: Apache-2.0
"""Files that hold pictures: a video or one still picture, decoded frame by frame. Pace and looping are the clip's."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sources.source import SourceError
from models.results import Image

log = logging.getLogger(__name__)

# Still pictures repeat at a camera's rate; a file without a sane rate is taken to have it too.
DEFAULT_FPS = 30.0
MAX_SANE_FPS = 1000.0
# Pictures to OpenCV, but also sequences: the video reader shows all of their frames.
SEQUENCE_SUFFIXES = frozenset({".gif", ".mjpg", ".mjpeg"})
# One decoder thread: 0.26 ms a frame (H.264 400x300) and 3.65 ms (1280x720) on two cores; two threads were never
# faster (0.29, 3.88) and would compete with the networks.
OPEN_PARAMETERS = (cv2.CAP_PROP_N_THREADS, 1)
# The number of frames that a file states is an estimate in many formats, 3 % off at most in those that were at hand.
LEAST_SHARE = 0.9


class Decoder(Protocol):
    """Frames of one file in order; used by one thread."""

    fps: float
    """As written in the file; 0 = unknown."""

    def advance(self) -> int | None:
        """Go to the next frame; return its presentation time in ns, rising, or None at the end."""

    def image(self) -> Image | None:
        """Return the frame advanced to as RGB; None = its data is broken."""

    def rewind(self) -> None:
        """Go back before the first frame."""

    def close(self) -> None:
        """Free the file; may be called twice."""


def to_rgb(image: NDArray[Any]) -> Image:
    """Return grey (H, W) or (H, W, 1), BGR or BGRA uint8 as RGB (H, W, 3)."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    code = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}[channels]
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def open_decoder(path: Path) -> Decoder:
    """Return the decoder of `path`, a file that exists; raise SourceError if OpenCV reads neither video nor picture."""
    if path.suffix.lower() not in SEQUENCE_SUFFIXES and cv2.haveImageReader(str(path)):
        return StillDecoder(path)
    return VideoDecoder(path)


class VideoDecoder(Decoder):
    """A video file through FFmpeg or whatever else this OpenCV was built with."""

    def __init__(self, path: Path) -> None:
        # An absolute path: FFmpeg takes the "a:" of a relative "a:b.mp4" for a protocol.
        self._path = path.resolve()
        self._capture = self._open()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and 0 < fps <= MAX_SANE_FPS else 0.0
        self._period_ns = round(1e9 / (self.fps or DEFAULT_FPS))
        self._t_ns: int | None = None
        self._bgr: NDArray[Any] | None = None
        self._n_frames = 0
        self._is_end_told = False

    def _open(self) -> cv2.VideoCapture:
        # FFmpeg alone where it is built in: the others read less, and complain to stderr.
        backend = cv2.CAP_FFMPEG if cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG) else cv2.CAP_ANY
        capture = cv2.VideoCapture(str(self._path), backend, OPEN_PARAMETERS)
        if not capture.isOpened():
            raise SourceError(f"{self._path} is not a video or picture that OpenCV can read; give another file")
        return capture

    def advance(self) -> int | None:
        """See Decoder. A file time that does not rise is replaced by one frame period after the last."""
        if not self._capture.grab():
            self._tell_early_end()
            return None
        self._n_frames += 1
        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        stated_ns = round(position_ms * 1e6) if math.isfinite(position_ms) else 0
        if self._t_ns is None:
            self._t_ns = max(stated_ns, 0)
        else:
            self._t_ns = stated_ns if stated_ns > self._t_ns else self._t_ns + self._period_ns
        return self._t_ns

    def _tell_early_end(self) -> None:
        """Say once that a damaged file gave fewer frames than it states: FFmpeg ends there as at any other end."""
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if 0 < self._n_frames < LEAST_SHARE * stated and not self._is_end_told:
            self._is_end_told = True
            sentence = "%s ends after %d of the %.0f frames that it should have: it is truncated or damaged"
            log.warning(sentence, self._path, self._n_frames, stated)

    def image(self) -> Image | None:
        """See Decoder; the BGR picture is decoded into the same memory each time."""
        is_whole, bgr = self._capture.retrieve(self._bgr)
        if not is_whole:
            return None
        self._bgr = bgr
        return to_rgb(bgr)

    def rewind(self) -> None:
        """See Decoder. Opens anew: seeking to frame 0 fails on files without an index."""
        self._capture.release()
        self._capture = self._open()
        self._t_ns, self._n_frames = None, 0

    def close(self) -> None:
        """See Decoder."""
        self._capture.release()


class StillDecoder(Decoder):
    """One picture as a video of one frame; 16-bit, grey and transparent pictures become 8-bit RGB."""

    def __init__(self, path: Path) -> None:
        self.fps = DEFAULT_FPS
        self._image = read_picture(path)
        self._is_before_first = True

    def advance(self) -> int | None:
        """See Decoder."""
        is_first, self._is_before_first = self._is_before_first, False
        return 0 if is_first else None

    def image(self) -> Image | None:
        """See Decoder; the same memory each time."""
        return self._image

    def rewind(self) -> None:
        """See Decoder."""
        self._is_before_first = True

    def close(self) -> None:
        """See Decoder; nothing is held open."""


def read_picture(path: Path) -> Image:
    """Return the picture at `path` as RGB; raise SourceError if it is broken or too large for OpenCV."""
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise SourceError(f"{path} cannot be decoded: {error.err}; give another file") from error
    if image is None:
        raise SourceError(f"{path} has a picture's first bytes but cannot be decoded; give another file")
    return np.asarray(image, np.uint8)
