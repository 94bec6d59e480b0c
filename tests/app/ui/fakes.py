# SPDX-License-Identifier: Apache-2.0
"""A program without networks and cameras: the real pipeline, with a source and a task that do as they are told."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.backends import resolve_backend
from app.build import Networks
from app.choices import Choice
from app.compare.pair import Pair
from app.compare.second_path import SecondPath
from app.config import Settings
from app.frame import ExpressionOutput, Frame, FrameResult
from app.motion.zones import Zone
from app.output.stats import Display
from app.output.trace import trace
from app.runtime.ledger import Ledger
from app.runtime.meters import StageTimes
from app.runtime.pipeline import Listeners, NetworkChoice, Pipeline
from app.runtime.truth_score import TruthScore
from app.sources.source import EndOfStream, SourceError, SourceLost
from device.errors import BackendUnavailable, DeviceTimeout
from models.results import Image, Tracks

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def faces(n: int, size_wh: tuple[int, int], seed: int = 0) -> ExpressionOutput:
    """Return `n` faces at random places of a picture of `size_wh` px."""
    random = np.random.default_rng(seed)
    side = min(size_wh) * (0.4 if n < 3 else 0.1)
    corner = random.uniform(0, 1, (n, 2)) * (np.array(size_wh) - side)
    xyxy = np.concatenate([corner, corner + side], axis=1).astype(np.float32)
    ones = np.ones(n, np.float32)
    tracks = Tracks(np.arange(1, n + 1), xyxy, np.zeros((n, 2), np.float32), ones, ones, np.arange(n, dtype=np.int32))
    return ExpressionOutput(tracks, random.dirichlet(np.full(7, 0.4), n).astype(np.float32), LABELS)


def result(
    n: int = 1, size_wh: tuple[int, int] = (320, 240), seq: int = 0, captured_ns: int | None = None
) -> FrameResult[ExpressionOutput]:
    """Return a grey frame with `n` faces."""
    now_ns = time.monotonic_ns() if captured_ns is None else captured_ns
    frame = Frame(np.full((size_wh[1], size_wh[0], 3), 90, np.uint8), seq, now_ns, now_ns)
    models = {"expression": "expression_float.tflite"}
    return FrameResult(frame, faces(n, size_wh), {"detect": 2.0}, "cpu", "float", models)


class FakeSource:
    """Ends after `n_frames`, is lost from `lost_at` until `plug_in`, fails at `fail_at`."""

    def __init__(
        self,
        period_s: float = 0.005,
        n_frames: int | None = None,
        lost_at: int | None = None,
        fail_at: int | None = None,
    ) -> None:
        self.name, self.size_wh, self.fps = "fake camera", (320, 240), 1 / period_s
        self.is_closed = False
        self._period_s, self._n_frames, self._lost_at, self._fail_at = period_s, n_frames, lost_at, fail_at
        self._seq = 0
        self._is_plugged_in = threading.Event()

    def plug_in(self) -> None:
        self._is_plugged_in.set()

    def read(self) -> Frame:
        time.sleep(self._period_s)
        if self._seq == self._n_frames:
            raise EndOfStream
        if self._seq == self._fail_at:
            raise SourceError("the fake camera broke; press Retry")
        if self._seq == self._lost_at and not self._is_plugged_in.is_set():
            raise SourceLost("the fake camera was unplugged; plug it in again")
        width, height = self.size_wh
        now_ns = time.monotonic_ns()
        frame = Frame(np.full((height, width, 3), self._seq % 200, np.uint8), self._seq, now_ns, now_ns)
        self._seq += 1
        return frame

    def close(self) -> None:
        self.is_closed = True


class FakeTask:
    """One face that does not move."""

    def __init__(self, infer_s: float = 0.002) -> None:
        self.times = StageTimes()
        self.in_use = NetworkChoice("cpu", "float", {"expression": "expression_float.tflite"})
        self._infer_s = infer_s

    def __call__(self, frame: Frame) -> ExpressionOutput:
        with self.times.stage("detect"):
            time.sleep(self._infer_s)
        return faces(1, (frame.image.shape[1], frame.image.shape[0]))


class FakeTwin:
    """Sees the same faces, with other expressions; fails at precision w1a2 of the simulated accelerator."""

    task = "expression"

    def __init__(self, pair: Pair) -> None:
        self.times, self.in_use = StageTimes(), NetworkChoice(pair.backend, pair.precision)

    def __call__(self, first: FrameResult[ExpressionOutput]) -> ExpressionOutput:
        if self.in_use.backend == "fpga-sim":
            raise DeviceTimeout("the simulated accelerator did not answer; use another backend")
        with self.times.stage(self.task):
            prob = np.roll(first.output.prob, 1, axis=1)
        return ExpressionOutput(first.output.tracks, prob, LABELS)


class FakeFile:
    """A recording that is never written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0


@dataclass
class FakePlan:
    """What the programs of a test are made of; `made` holds those that were built, the newest last."""

    source: Callable[[], FakeSource]
    task: Callable[[], FakeTask]
    error: Exception | None = None
    notice: str | None = None
    hang: str | None = None
    refusal: str | None = None  # why no network can be switched to

    def __post_init__(self) -> None:
        self.made: list[FakeProgram] = []

    def program(
        self,
        settings: Settings,
        networks: Networks,
        listeners: Listeners,
        annotate: Callable[[FrameResult[Any]], Image] | None = None,
        max_frames: int | None = None,
    ) -> FakeProgram:
        """Stand in for `app.build.Program`."""
        if self.error is not None:
            raise self.error
        self.made.append(FakeProgram(self, settings, networks, listeners, max_frames))
        return self.made[-1]


class FakeProgram:
    """Has the methods of `app.build.Program` that the window uses."""

    def __init__(
        self,
        plan: FakePlan,
        settings: Settings,
        networks: Networks,
        listeners: Listeners,
        max_frames: int | None,
    ) -> None:
        self.settings, self.notice = settings, plan.notice
        self.source, self.task = plan.source(), plan.task()
        self.recorder: FakeFile | None = None
        self.events: FakeFile | None = None
        self.calls: list[tuple[str, ...]] = []
        self.zones: tuple[Zone, ...] = ()
        self._plan, self._hang, self._listeners = plan, plan.hang, listeners
        self.second_path: SecondPath | None = None
        self.truth_score, self.ledger, self.networks = TruthScore(), Ledger(), networks
        inner = dataclasses.replace(listeners, on_result=self._deliver)
        self.pipeline = Pipeline(self.source, self.task, inner, settings.pace, max_frames)

    def start(self) -> None:
        self.pipeline.start()

    def select(self, settings: Settings) -> None:
        if self._plan.refusal is not None:
            raise BackendUnavailable(self._plan.refusal)
        backend, precision = settings.backend, settings.precision
        self.calls.append(("select", *((settings.method,) if settings.task == "flow" else (backend, precision))))
        models = {"expression": f"expression_{precision}.tflite"}
        self.task.in_use = NetworkChoice(resolve_backend(backend, precision), precision, models)

    def preload(self) -> None:
        """There is nothing to open."""

    def open_second(self, pair: Pair) -> None:
        if self._plan.refusal is not None:
            raise BackendUnavailable(self._plan.refusal)

    def compare(self, pair: Pair | None) -> None:
        second, self.second_path = self.second_path, None
        if second is not None:
            second.close()
        if pair is None:
            return
        told = self._listeners
        self.second_path = SecondPath(FakeTwin(pair), pair, told.on_result, told.on_error, lambda: 0, False)

    def _deliver(self, result: FrameResult[Any]) -> None:
        second = self.second_path
        (self._listeners.on_result if second is None else second.offer)(result)

    def watch(self, zones: Sequence[Zone]) -> None:
        self.zones = tuple(zones)

    def steady(self, is_on: bool) -> None:
        self.calls.append(("steady", str(is_on)))

    def write_trace(self, path: Path) -> None:
        path.write_text(json.dumps(trace(self.ledger.entries(), (), self.networks.runs())))

    def record_session(self, folder: Path) -> None:
        self.calls.append(("record_session", str(folder)))

    def record(self, path: Path) -> None:
        self.recorder = FakeFile(path)

    def stop_recording(self) -> Path | None:
        recorder, self.recorder = self.recorder, None
        return None if recorder is None else recorder.path

    def write_events(self, path: Path) -> None:
        self.events = FakeFile(path)

    def statistics(self, display: Display | None = None) -> dict[str, Any]:
        return {"source": self.source.name, "painted": 0 if display is None else display.n_painted}

    def close(self) -> None:
        self.compare(None)
        self.pipeline.stop()
        self.source.close()
        self.stop_recording()
        if self._hang is not None:
            raise TimeoutError(self._hang)


def source_choices() -> list[Choice]:
    """Stand in for `app.choices.source_choices`: the machine of a test has one camera."""
    return [Choice("camera:0", "fake camera (/dev/video0)"), Choice("demo", "demo")]
