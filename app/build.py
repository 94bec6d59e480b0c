# SPDX-License-Identifier: Apache-2.0
"""The one place that knows every class: settings in, a running program out."""

from __future__ import annotations

import logging
import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.backends import auto_backends, expression_reason, resolve_backend
from app.config import BACKENDS, PRECISIONS, TASKS, ConfigError, Settings
from app.frame import FrameResult
from app.output.events import open_events
from app.output.queued_file import QueuedFile
from app.output.recorder import Annotate, open_recorder
from app.output.stats import Display, Run, statistics
from app.runtime.pipeline import Listeners, Pipeline
from app.sources.camera import Camera, first_working_camera, list_cameras
from app.sources.clip import Clip
from app.sources.demo import Demo
from app.sources.pace import Pace
from app.sources.source import Source
from app.sources.synthetic import Synthetic
from app.tasks.expression import ExpressionTask
from app.tasks.faces import FACE_TRACKING, FaceFinder
from app.tracking.sort import Sort
from device.backend import Cycles
from device.errors import AppError, BackendError, BackendUnavailable
from device.registry import is_simulated, open_backend
from device.timed import TimedBackend
from models.blazeface import FaceDetector
from models.card import Card, load_card
from models.expression import ExpressionClassifier
from models.fetch import DEMO_CLIP, fetched

log = logging.getLogger(__name__)

BUILT_TASKS = ("expression",)
EXPRESSION_CARDS = {"float": "expression_float", "int8": "expression_int8", "w1a2": "expression_w1a2"}
RECENT_NS = 1_000_000_000
"""What the window calls "now": a second."""


@dataclass(frozen=True)
class Choice:
    """One value the user may pick; `reason` says why it cannot be used here, None = it can."""

    value: str
    label: str
    reason: str | None = None


@dataclass(frozen=True)
class NetworkFacts:
    """An opened network: bits by part of it, as its card has them, and the median run time of the last second.

    `cycles` are those of its last run, where the device counts them.
    """

    bits: dict[str, Any]
    ms_p50: float
    cycles: Cycles | None = None


class Networks:
    """The loaded networks of this process: each is opened once and stays, so that a switch costs nothing.

    Any thread may ask; the networks themselves are run by one inference thread at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expression: dict[tuple[str, str], tuple[ExpressionClassifier, TimedBackend]] = {}
        self._detectors: dict[str, FaceDetector] = {}
        self._opened: list[tuple[Card, TimedBackend]] = []

    def face_detector(self, card: str) -> FaceDetector:
        """Return `blazeface_short` or `blazeface_full`."""
        with self._lock:
            if card not in self._detectors:
                self._detectors[card] = FaceDetector(*self._open(load_card(card), "cpu"))
            return self._detectors[card]

    def expression(self, backend: str, precision: str) -> ExpressionClassifier:
        """Return the expression network; raises BackendUnavailable with the reason."""
        reason = expression_reason(backend, precision)
        if reason is not None:
            raise BackendUnavailable(reason)
        key = (backend, precision)
        with self._lock:
            if key not in self._expression:
                card, timed = self._open(load_card(EXPRESSION_CARDS[precision]), backend)
                self._expression[key] = ExpressionClassifier(card, timed), timed
            return self._expression[key][0]

    def choose_expression(self, backend: str, precision: str) -> ExpressionClassifier:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        for name in auto_backends(precision) if backend == "auto" else ():
            try:
                return self.expression(name, precision)
            except BackendError as error:
                log.info("backend auto: %s not used: %s", name, error)
        return self.expression(resolve_backend(backend, precision), precision)

    def expression_facts(self, backend: str, precision: str) -> NetworkFacts | None:
        """Return what is known of an expression network, None where it has not been opened."""
        with self._lock:
            found = [(n, t) for (_, p), (n, t) in self._expression.items() if (t.name, p) == (backend, precision)]
        for network, timed in found:
            recent_ms = timed.ms_p50(time.perf_counter_ns() - RECENT_NS)
            return NetworkFacts(network.card.fields["bits"], recent_ms, timed.last_cycles)
        return None

    def __enter__(self) -> Networks:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            for _, backend in self._opened:
                backend.close()
            self._expression.clear()
            self._detectors.clear()
            self._opened.clear()

    def figures(self) -> list[dict[str, Any]]:
        """Return name, sha256 and median run time (ms) of the networks that have run, and what their device counted."""
        rows = [(card, round(backend.ms_p50(), 4), backend) for card, backend in self._opened]
        return [
            {"name": card.name, "sha256": card.sha256, "ms_p50": ms, **counted(backend)}
            for card, ms, backend in rows
            if ms > 0
        ]

    def _open(self, card: Card, backend: str) -> tuple[Card, TimedBackend]:
        timed = TimedBackend(open_backend(backend, card.verified_path()))
        self._opened.append((card, timed))
        return card, timed


def counted(backend: TimedBackend) -> dict[str, Any]:
    """Return the cycles of the last run, empty where the device counts none; simulated ones never look measured."""
    cycles = backend.last_cycles
    if cycles is None:
        return {}
    return {"cycles": cycles.n, "clock_hz": cycles.clock_hz, "simulated": is_simulated(backend.name)}


def new_face_finder(networks: Networks) -> FaceFinder:
    """Return detectors with a tracker of their own: one for every source."""
    short, full = networks.face_detector("blazeface_short"), networks.face_detector("blazeface_full")
    return FaceFinder(short, full, Sort(FACE_TRACKING))


def backend_choices(precision: str) -> list[Choice]:
    """Return the backends of the menu with the reason for each that cannot be used now."""
    return [Choice(b, b, _reason_now(b, precision)) for b in BACKENDS]


def precision_choices(backend: str) -> list[Choice]:
    return [Choice(p, p, _reason_now(backend, p)) for p in PRECISIONS]


def _reason_now(backend: str, precision: str) -> str | None:
    return expression_reason(resolve_backend(backend, precision, wait=False), precision, wait=False)


def task_choices() -> list[Choice]:
    return [Choice(t, t, None if t in BUILT_TASKS else f"task {t} is not part of this version") for t in TASKS]


def source_choices() -> list[Choice]:
    """Return the cameras here by name, then the built-in sources."""
    cameras = [Choice(f"camera:{c.number}", f"{c.name} ({c.path})") for c in list_cameras()]
    return [*cameras, Choice("demo", "demo"), Choice("synthetic", "synthetic")]


@dataclass(frozen=True, eq=False)
class Opened:
    """An open source, and a sentence for the banner when it is not the one the user would expect."""

    source: Source
    notice: str | None = None


def open_source(spec: str, pace: Pace) -> Opened:
    """Open `auto`, `demo`, `synthetic[:SEED]`, `camera:N` or a path; raises SourceError."""
    if spec == "auto":
        return _open_auto(pace)
    if spec == "demo":
        return Opened(Demo(fetched(DEMO_CLIP), pace))
    if match := re.fullmatch(r"synthetic(?::(\d+))?", spec):
        return Opened(Synthetic(int(match[1] or 0), pace=pace))
    if match := re.fullmatch(r"camera:(\d+)", spec):
        return Opened(Camera(int(match[1])))
    if re.fullmatch(r"(camera|synthetic):.*", spec):
        raise ConfigError(f"--source {spec}: expected camera:N or synthetic:SEED with a whole number, like camera:0")
    return Opened(Clip(Path(spec), pace))


def _open_auto(pace: Pace) -> Opened:
    camera, reasons = first_working_camera()
    if camera is not None:
        return Opened(camera)
    notice = "; ".join(["no camera found", *reasons])
    try:
        return Opened(Demo(fetched(DEMO_CLIP), pace), notice)
    except AppError as error:
        return Opened(Synthetic(0, pace=pace), f"{notice}; the demo clip is missing too ({error})")


class Program:
    """Source, task, pipeline and outputs of one run; the networks are shared with the next one.

    Made, started, stopped and closed by one thread (the main thread). A program runs once.
    """

    def __init__(
        self,
        settings: Settings,
        networks: Networks,
        listeners: Listeners,
        annotate: Annotate | None = None,
        max_frames: int | None = None,
    ) -> None:
        if settings.task not in BUILT_TASKS:
            raise ConfigError(f"task {settings.task} is not part of this version; use --task expression")
        if settings.tracker != "sort":
            raise ConfigError(f"tracker {settings.tracker} is not part of this version; use --tracker sort")
        self.settings, self.networks = settings, networks
        self._listeners, self._annotate = listeners, annotate
        self._recorder: QueuedFile | None = None
        self._events: QueuedFile | None = None
        self._started_ns = time.monotonic_ns()
        expression = networks.choose_expression(settings.backend, settings.precision)
        self.task = ExpressionTask(new_face_finder(networks), expression, expression.backend_name, settings.precision)
        opened = open_source(settings.source, settings.pace)
        self.source, self.notice = opened.source, opened.notice
        inner = Listeners(self._deliver, listeners.on_error, listeners.on_lost, listeners.on_end)
        self.pipeline = Pipeline(self.source, self.task, inner, settings.pace, max_frames)

    def start(self) -> None:
        self._started_ns = time.monotonic_ns()
        self.pipeline.start()

    def select(self, backend: str, precision: str) -> None:
        """Swap the task's network between two frames; raises BackendUnavailable and changes nothing."""
        expression = self.networks.choose_expression(backend, precision)
        self.task.select(expression, expression.backend_name, precision)

    def record(self, path: Path) -> None:
        """Begin a video of the annotated picture; raises AppError when the file cannot be written."""
        if self._annotate is None:
            raise ConfigError("recording needs the drawing of the user interface; this program was built without it")
        is_lossless = self.settings.pace == "max"
        on_error = self._listeners.on_error
        self._recorder = open_recorder(path, self.source.fps, self._annotate, is_lossless, on_error)

    def stop_recording(self) -> Path | None:
        """Finalise the video and return its path, None when nothing was recorded."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return None
        recorder.close()
        return recorder.path

    @property
    def recorder(self) -> QueuedFile | None:
        return self._recorder

    def write_events(self, path: Path) -> None:
        """Begin the event file; raises AppError when it cannot be written."""
        self._events = open_events(path, self.settings.pace == "max", self._listeners.on_error)

    @property
    def events(self) -> QueuedFile | None:
        return self._events

    @property
    def wall_s(self) -> float:
        """Seconds since the start."""
        return (time.monotonic_ns() - self._started_ns) / 1e9

    def statistics(self, display: Display | None = None) -> dict[str, Any]:
        """Return the figures of this run so far: the object of `--stats`."""
        used = self.task.in_use
        run = Run(
            source=self.source.name,
            task=self.settings.task,
            backend=used.backend,
            precision=used.precision,
            wall_s=self.wall_s,
            dropped=self.pipeline.dropped,
            models=self.networks.figures(),
        )
        return statistics(run, self.pipeline.meters, display)

    def close(self) -> None:
        """Stop the threads, finalise the outputs, free the source; raises TimeoutError naming a thread that hangs.

        A thread that hangs keeps its source open (closing a device under a running thread may crash), but the
        outputs are finalised all the same.
        """
        with ExitStack() as outputs:
            if self._events is not None:
                outputs.callback(self._events.close)
            outputs.callback(self.stop_recording)
            self.pipeline.stop()
            self.source.close()

    def _deliver(self, result: FrameResult[Any]) -> None:
        """Inference thread: outputs first (they only queue), then the listener."""
        if self._events is not None:
            self._events.write(result)
        recorder = self._recorder
        if recorder is not None:
            recorder.write(result)
        self._listeners.on_result(result)
