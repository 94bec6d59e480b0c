# SPDX-License-Identifier: Apache-2.0
"""Results to write, and what a written file holds."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.frame import ExpressionOutput, FlowOutput, Frame, FrameResult, PoseOutput
from models.results import N_KEYPOINTS, Flow, Image, Tracks

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
WAIT_S = 10.0
FRAME_NS = 33_333_333


def result(seq: int, n_faces: int = 2, size_wh: tuple[int, int] = (64, 48)) -> FrameResult[ExpressionOutput]:
    """Return the same result for the same arguments; the picture's level tells `seq`."""
    random = np.random.default_rng([seq, n_faces])
    low = random.uniform(-5, 40, (n_faces, 2))
    xyxy = np.concatenate([low, low + random.uniform(5, 30, (n_faces, 2))], axis=1).astype(np.float32)
    score = random.uniform(0, 1, n_faces).astype(np.float32)
    index = np.where(np.arange(n_faces) % 2, -1, np.arange(n_faces)).astype(np.int32)
    tracks = Tracks(np.arange(1, n_faces + 1), xyxy, np.zeros((n_faces, 2), np.float32), score, score, index)
    prob = random.dirichlet(np.ones(7), n_faces).astype(np.float32)
    image = np.full((size_wh[1], size_wh[0], 3), 8 * (seq % 28) + 16, np.uint8)
    frame = Frame(image, seq, 5_000_000_000 + seq * FRAME_NS, 1_000_000_000 + seq * FRAME_NS)
    return FrameResult(frame, ExpressionOutput(tracks, prob, LABELS), {}, "cpu", "float")


def flow_result(seq: int, has_flow: bool = True) -> FrameResult[FlowOutput]:
    """Return the same flow of a picture of 64x48 at stride 2 for the same arguments; a corner of it is not known."""
    uv = np.random.default_rng(seq).normal(0, 3, (24, 32, 2)).astype(np.float32)
    valid = np.full((24, 32), has_flow)
    valid[:4, :4] = False
    uv[~valid] = 0
    frame = result(seq, 0).frame
    output = FlowOutput(Flow(uv, valid), 2, frame.image, max(seq - 1, 0), 0.033, "dis")
    return FrameResult(frame, output, {"flow": 1.0}, "cpu", "float")


def pose_result(seq: int, n_people: int = 2) -> FrameResult[PoseOutput]:
    """Return the same poses for the same arguments, with the tracks of `result`; a keypoint may lie outside."""
    one = result(seq, n_people)
    random = np.random.default_rng([seq, n_people, 1])
    xy, score = random.uniform(-10, 70, (n_people, N_KEYPOINTS, 2)), random.uniform(0, 1, (n_people, N_KEYPOINTS, 1))
    keypoints = np.concatenate([xy, score], axis=2).astype(np.float32)
    output = PoseOutput(one.output.tracks, keypoints, tuple(f"keypoint {k}" for k in range(N_KEYPOINTS)))
    return FrameResult(one.frame, output, {"detect": 1.0}, "cpu", "float")


def plain(result: FrameResult[Any]) -> Image:
    """Draw nothing."""
    return result.frame.image


def levels(path: Path) -> list[int]:
    """Return what each frame of a video tells as its `seq` (modulo 28)."""
    clip, found = cv2.VideoCapture(str(path)), []
    while True:
        is_read, bgr = clip.read()
        if not is_read:
            break
        found.append(round((float(bgr.mean()) - 16) / 8))
    clip.release()
    return found


class Reports:
    """Keeps what a file reports from its thread."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, Exception]] = []
        self.came = threading.Event()

    def __call__(self, name: str, error: Exception) -> None:
        self.errors.append((name, error))
        self.came.set()
