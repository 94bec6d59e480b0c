# SPDX-License-Identifier: Apache-2.0
"""OpenCV's own voice: turned off, because each of its failures is told as one SourceError sentence."""

from __future__ import annotations

import os

import cv2


def silence_opencv() -> None:
    """Stop OpenCV and FFmpeg from writing to stderr; call before the first capture is made.

    A variable that the user has set wins, so `OPENCV_FFMPEG_LOGLEVEL=32` still shows what FFmpeg says.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read when FFmpeg is first used
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
