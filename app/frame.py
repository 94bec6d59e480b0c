# SPDX-License-Identifier: Apache-2.0
"""What travels between the threads: a frame, and a result that carries the frame it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.motion.counting import Count, CountEvent
from app.motion.swipes import Swipe
from app.motion.zones import ZoneEvent, ZoneState
from app.runtime.meters import Span
from app.tracking.why import Why
from device.array import expect_array
from device.backend import Cycles
from models.results import N_KEYPOINTS, Flow, Image, Tracks

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a synthetic frame."""

    track_id: NDArray[np.int64]  # (N,) stable numbers of the faces or people that can be seen
    xyxy: NDArray[np.float32]  # (N, 4) px
    flow_uv: NDArray[np.float32] | None = None  # (H, W, 2) px from the frame captured before to this one
    of_people: bool = False  # whether the boxes are those of people, not of faces


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
    raw: NDArray[np.float32] | None = None  # as the network gave them, before smoothing

    def __post_init__(self) -> None:
        shape = len(self.tracks), len(self.labels)
        expect_array("ExpressionOutput.prob", self.prob, shape, "float32")
        if self.raw is not None:
            expect_array("ExpressionOutput.raw", self.raw, shape, "float32")


@dataclass(frozen=True)
class Motion:
    """What a flow says beyond its picture: motion in the user's zones, and swipes."""

    zones: tuple[ZoneState, ...] = ()
    events: tuple[ZoneEvent, ...] = ()  # of this frame; also the end in a zone that was just removed
    swipe: Swipe | None = None  # that ended in this frame
    last_swipe: Swipe | None = None  # the newest one so far: whoever misses a frame still hears of its swipe


@dataclass(frozen=True)
class Counting:
    """What tracks say beyond their boxes: who crossed the user's lines, and who is in his zones."""

    counts: tuple[Count, ...] = ()
    events: tuple[CountEvent, ...] = ()  # of this frame


@dataclass(frozen=True, eq=False)
class PoseOutput:
    """Task `pose`: tracked people and, row by row, their keypoints; one that was not seen has a low score."""

    tracks: Tracks
    keypoints: NDArray[np.float32]  # (N, 17, 3): x px, y px, score 0..1
    labels: tuple[str, ...]  # 17 names
    counting: Counting = Counting()
    whys: tuple[Why, ...] = ()  # row by row why the tracks have their numbers; () = the tracker does not say

    def __post_init__(self) -> None:
        expect_array("PoseOutput.keypoints", self.keypoints, (len(self.tracks), N_KEYPOINTS, 3), "float32")
        if len(self.labels) != N_KEYPOINTS:
            raise ValueError(f"PoseOutput.labels: expected {N_KEYPOINTS} names, got {len(self.labels)}")
        if self.whys and len(self.whys) != len(self.tracks):
            raise ValueError(f"PoseOutput.whys: expected none or {len(self.tracks)}, got {len(self.whys)}")


@dataclass(frozen=True, eq=False)
class FlowOutput:
    """Task `flow`: the motion of the pixels of the frame processed before, `previous`, to this one.

    `flow` may be smaller than the frame by a whole `stride`: uv[i, j], always in px of the frame, belongs to the square
    of `stride` px that begins at (j * stride, i * stride). A frame with nothing before it to compare with (the first
    one, another size, time that went back or on by too much) has `valid` all False, dt_s 0, itself as `previous` and
    its own number as `seq_from`.
    """

    flow: Flow  # (ceil(H / stride), ceil(W / stride))
    stride: int  # px
    previous: Image  # (H, W, 3) RGB
    seq_from: int  # of the previous frame
    dt_s: float  # between the two, of the picture's own time
    method: str  # "net", "dis", "farneback", "lk"
    epe_px: float | None = None  # mean end-point error where the truth is known
    motion: Motion = Motion()

    def __post_init__(self) -> None:
        expect_array("FlowOutput.previous", self.previous, (None, None, 3), "uint8")
        if self.stride < 1 or self.dt_s < 0:
            raise ValueError(f"expected a stride >= 1 and dt_s >= 0, got stride {self.stride}, dt_s {self.dt_s}")
        height, width = (-(-side // self.stride) for side in self.previous.shape[:2])
        expect_array("FlowOutput.flow.valid", self.flow.valid, (height, width), "bool")

    def mean_uv(self) -> tuple[float, float] | None:
        """Return the mean motion in px, None where nothing is known."""
        u, v = self._known()
        return (float(u.mean(dtype=np.float64)), float(v.mean(dtype=np.float64))) if u.size else None

    def max_px(self) -> float | None:
        """Return the length of the longest motion in px, None where nothing is known."""
        u, v = self._known()
        return float(np.sqrt((u * u + v * v).max())) if u.size else None

    def _known(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return u and v, each in an array of any shape, where there is a motion."""
        u, v, valid = self.flow.uv[..., 0], self.flow.uv[..., 1], self.flow.valid
        return (u, v) if valid.all() else (u[valid], v[valid])


@dataclass(frozen=True, eq=False)
class Steady:
    """A frame's picture as a steadier camera would have seen it; `matrix` takes px of the frame to px of this one."""

    image: Image  # (H, W, 3) RGB, as large as the frame's
    matrix: NDArray[np.float64]  # (2, 3), a similarity

    def __post_init__(self) -> None:
        expect_array("Steady.image", self.image, (None, None, 3), "uint8")
        expect_array("Steady.matrix", self.matrix, (2, 3), "float64")


@dataclass(frozen=True)
class FrameTimes:
    """When the inference thread had a frame (`time.monotonic_ns()`), and what it did with it, span after span."""

    begun_ns: int = 0
    done_ns: int = 0
    spans: tuple[Span, ...] = ()


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
    steady: Steady | None = None  # shown instead of the frame's own picture; None = that is shown
    times: FrameTimes = FrameTimes()
    conditions: Any = None  # app.replay.conditions.Conditions, where a session is recorded
    compared: FrameResult[Any] | None = None  # a frame, mostly this one, through a second backend and precision
