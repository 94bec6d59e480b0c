# SPDX-License-Identifier: Apache-2.0
"""What travels between the threads: a frame, and a result that carries the frame it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from device.array import expect_array
from device.backend import Cycles
from models.results import Image, Tracks

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a synthetic frame."""

    track_id: NDArray[np.int64]  # (N,) stable numbers of the faces that can be seen
    xyxy: NDArray[np.float32]  # (N, 4) px
    flow_uv: NDArray[np.float32] | None = None  # (H, W, 2) px from the previous frame to this one


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture, read-only after capture.

    `captured_ns` is `time.monotonic_ns()` at capture (the age of the picture is measured from it);
    `t_ns` is the picture's own time: presentation time for a clip, `captured_ns` for a camera.
    Trackers, recorders and events use `t_ns`, so that a clip gives the same result at any speed.
    """

    image: Image  # (H, W, 3) RGB
    seq: int  # counts captures from 0; a gap is a dropped frame
    captured_ns: int
    t_ns: int
    truth: Truth | None = None

    def __post_init__(self) -> None:
        expect_array("Frame.image", self.image, (None, None, 3), "uint8")
        self.image.flags.writeable = False


@dataclass(frozen=True, eq=False)
class ExpressionOutput:
    """Task `expression`: tracked faces and, row by row, the seven class probabilities."""

    tracks: Tracks
    prob: NDArray[np.float32]  # (N, 7), rows sum to 1
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        expect_array("ExpressionOutput.prob", self.prob, (len(self.tracks), len(self.labels)), "float32")


@dataclass(frozen=True, eq=False)
class FrameResult(Generic[R]):
    """A task's output with the frame it was computed from."""

    frame: Frame
    output: R
    stage_ms: dict[str, float]
    backend: str  # "cpu", ...
    precision: str  # "float", "int8", as really used
    models: dict[str, str] = field(default_factory=dict)  # network name -> file in use
    cycles: Cycles | None = None  # of one inference on an accelerator, the last one so far
