# SPDX-License-Identifier: Apache-2.0
"""The one place that knows every class: settings in, a running program out."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from app.backends import CARDS, auto_backends, network_reason, resolve_backend
from app.config import ConfigError, Settings
from app.frame import FrameResult
from app.output.events import open_events
from app.output.queued_file import QueuedFile
from app.output.recorder import Annotate, open_recorder
from app.output.stats import Display, Run, statistics
from app.runtime.pipeline import Listeners, NetworkChoice, Pipeline
from app.sources.opening import open_source
from app.tasks.expression import ExpressionTask
from app.tasks.faces import FACE_TRACKING, FaceFinder
from app.tasks.flow import FlowMethod, FlowTask
from app.tracking.sort import Sort
from device.backend import Cycles
from device.errors import BackendError, BackendUnavailable
from device.registry import is_simulated, open_backend
from device.timed import TimedBackend
from models.blazeface import FaceDetector
from models.card import Card, load_card
from models.classical_flow import Dis, Farneback, LucasKanade, Reduced
from models.expression import ExpressionClassifier
from models.flow import FlowNet

log = logging.getLogger(__name__)

BUILT_TASKS = ("expression", "flow")
CLASSICAL_METHODS: dict[str, Callable[[], FlowMethod]] = {"dis": Dis, "farneback": Farneback, "lk": LucasKanade}
"""Of task flow, besides "net"."""
N = TypeVar("N", ExpressionClassifier, FlowNet)
RECENT_NS = 1_000_000_000
"""What the window calls "now": a second."""


@dataclass(frozen=True)
class NetworkFacts:
    """An opened network: bits by part of it, as its card has them, and the median run time of the last second.

    `cycles` are those of its last run, where the device counts them.
    """

    bits: dict[str, Any]
    ms_p50: float
    cycles: Cycles | None = None


class Variants(Generic[N]):
    """The network of one task, at each backend and precision that was asked for so far."""

    def __init__(self, task: str, new: Callable[[Card, TimedBackend], N], networks: Networks) -> None:
        self.opened: dict[tuple[str, str], tuple[N, TimedBackend]] = {}
        self._task, self._networks = task, networks
        self._new: Callable[[Card, TimedBackend], N] = new

    def named(self, backend: str, precision: str) -> N:
        """Return the network of a named backend; raises BackendUnavailable with the reason."""
        reason = network_reason(self._task, backend, precision)
        if reason is not None:
            raise BackendUnavailable(reason)
        key = (backend, precision)
        with self._networks.lock:
            if key not in self.opened:
                card, timed = self._networks.open(load_card(CARDS[self._task][precision]), backend)
                self.opened[key] = self._new(card, timed), timed
            return self.opened[key][0]

    def choose(self, backend: str, precision: str) -> N:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        for name in auto_backends(precision) if backend == "auto" else ():
            try:
                return self.named(name, precision)
            except BackendError as error:
                log.info("backend auto: %s not used: %s", name, error)
        return self.named(resolve_backend(backend, precision), precision)

    def facts(self, backend: str, precision: str) -> NetworkFacts | None:
        """Return what is known of it there, None where it has not been opened."""
        with self._networks.lock:
            found = [(n, t) for (_, p), (n, t) in self.opened.items() if (t.name, p) == (backend, precision)]
        for network, timed in found:
            recent_ms = timed.ms_p50(time.perf_counter_ns() - RECENT_NS)
            return NetworkFacts(network.card.fields["bits"], recent_ms, timed.last_cycles)
        return None


class Networks:
    """The loaded networks of this process: each is opened once and stays, so that a switch costs nothing.

    Any thread may ask; the networks themselves are run by one inference thread at a time.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._expression = Variants("expression", ExpressionClassifier, self)
        self._flow = Variants("flow", FlowNet, self)
        self._detectors: dict[str, FaceDetector] = {}
        self._opened: list[tuple[Card, TimedBackend]] = []

    def face_detector(self, card: str) -> FaceDetector:
        """Return `blazeface_short` or `blazeface_full`."""
        with self.lock:
            if card not in self._detectors:
                self._detectors[card] = FaceDetector(*self.open(load_card(card), "cpu"))
            return self._detectors[card]

    def expression(self, backend: str, precision: str) -> ExpressionClassifier:
        """Return the expression network; raises BackendUnavailable with the reason."""
        return self._expression.named(backend, precision)

    def choose_expression(self, backend: str, precision: str) -> ExpressionClassifier:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        return self._expression.choose(backend, precision)

    def flow(self, backend: str, precision: str) -> FlowNet:
        """Return the flow network; raises BackendUnavailable with the reason."""
        return self._flow.named(backend, precision)

    def choose_flow(self, backend: str, precision: str) -> FlowNet:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        return self._flow.choose(backend, precision)

    def facts(self, task: str, backend: str, precision: str) -> NetworkFacts | None:
        """Return what is known of the network of a task, None where it has not been opened."""
        return (self._flow if task == "flow" else self._expression).facts(backend, precision)

    def __enter__(self) -> Networks:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        with self.lock:
            for _, backend in self._opened:
                backend.close()
            self._expression.opened.clear()
            self._flow.opened.clear()
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

    def open(self, card: Card, backend: str) -> tuple[Card, TimedBackend]:
        """Open the file of `card`; whoever calls holds `lock`, and gets it closed by `close`."""
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


def new_task(settings: Settings, networks: Networks) -> ExpressionTask | FlowTask:
    """Return the task with the network or the method of `settings`; raises AppError."""
    if settings.task == "flow":
        return FlowTask(*choose_method(settings, networks))
    network = networks.choose_expression(settings.backend, settings.precision)
    return ExpressionTask(new_face_finder(networks), network, network.backend_name, settings.precision)


def choose_method(settings: Settings, networks: Networks) -> tuple[FlowMethod, str, NetworkChoice]:
    """Return the flow method, its name, and the networks it uses; raises AppError.

    A method without a network uses neither precision nor backend: it is reported as float on the cpu.
    """
    if settings.method in CLASSICAL_METHODS:
        return Reduced(CLASSICAL_METHODS[settings.method]()), settings.method, NetworkChoice("cpu", "float")
    network = networks.choose_flow(settings.backend, settings.precision)
    models = {"flow": Path(network.card.file).name}
    return network, settings.method, NetworkChoice(network.backend_name, settings.precision, models)


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
            raise ConfigError(f"task {settings.task} is not part of this version; use --task {'|'.join(BUILT_TASKS)}")
        if settings.tracker != "sort":
            raise ConfigError(f"tracker {settings.tracker} is not part of this version; use --tracker sort")
        self.settings, self.networks = settings, networks
        self._listeners, self._annotate = listeners, annotate
        self._recorder: QueuedFile | None = None
        self._events: QueuedFile | None = None
        self._started_ns = time.monotonic_ns()
        self.task = new_task(settings, networks)
        has_flow = settings.task == "flow"
        opened = open_source(settings.source, settings.pace, has_flow)
        self.source, self.notice = opened.source, opened.notice
        inner = Listeners(self._deliver, listeners.on_error, listeners.on_lost, listeners.on_end)
        self.pipeline = Pipeline(self.source, self.task, inner, settings.pace, max_frames)

    def start(self) -> None:
        self._started_ns = time.monotonic_ns()
        self.pipeline.start()

    def select(self, settings: Settings) -> None:
        """Use backend, precision and method of `settings` from the next frame on.

        Raises AppError and changes nothing where they cannot be used. Another task or source needs another program.
        """
        if isinstance(self.task, FlowTask):
            self.task.select(*choose_method(settings, self.networks))
        else:
            network = self.networks.choose_expression(settings.backend, settings.precision)
            self.task.select(network, network.backend_name, settings.precision)
        chosen = {name: getattr(settings, name) for name in ("backend", "precision", "method")}
        self.settings = dataclasses.replace(self.settings, **chosen)

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
