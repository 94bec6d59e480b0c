# SPDX-License-Identifier: Apache-2.0
"""The one place that knows every class: settings in, a running program out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.config import ConfigError, Settings
from app.frame import FrameResult
from app.motion.zones import Zone
from app.opened_networks import NetworkFacts as NetworkFacts
from app.opened_networks import Networks as Networks
from app.output.events import open_events
from app.output.queued_file import QueuedFile
from app.output.recorder import Annotate, open_recorder
from app.output.stats import Display, Run, statistics
from app.runtime.pipeline import Listeners, NetworkChoice, Pipeline
from app.sources.opening import open_source
from app.tasks.expression import ExpressionTask
from app.tasks.faces import FACE_TRACKING, FaceFinder
from app.tasks.flow import FlowMethod, FlowTask
from app.tasks.pose import PoseTask
from app.tasks.steady import SteadyPicture
from app.tracking.sort import Sort
from models.camera_motion import CornerCamera
from models.classical_flow import Dis, Farneback, LucasKanade, Reduced

BUILT_TASKS = ("expression", "flow", "pose")
CLASSICAL_METHODS: dict[str, Callable[[], FlowMethod]] = {"dis": Dis, "farneback": Farneback, "lk": LucasKanade}
"""Of task flow, besides "net"."""


def new_face_finder(networks: Networks) -> FaceFinder:
    """Return detectors with a tracker of their own: one for every source."""
    short, full = networks.face_detector("blazeface_short"), networks.face_detector("blazeface_full")
    return FaceFinder(short, full, Sort(FACE_TRACKING))


def new_task(settings: Settings, networks: Networks) -> ExpressionTask | FlowTask | PoseTask:
    """Return the task with the network or the method of `settings`; raises AppError."""
    if settings.task == "flow":
        return FlowTask(*choose_method(settings, networks))
    if settings.task == "pose":
        pose = networks.choose_pose(settings.backend, settings.precision)
        detector, every = networks.person_detector(), settings.detect_every
        return PoseTask(detector, pose, pose.backend_name, settings.precision, every)
    network = networks.choose_expression(settings.backend, settings.precision)
    task = ExpressionTask(new_face_finder(networks), network, network.backend_name, settings.precision)
    task.follow_camera(new_camera(settings))
    return task


def new_camera(settings: Settings) -> CornerCamera | None:
    """Return what finds the motion of the camera for the tracker, None where that is not wanted."""
    return CornerCamera() if settings.camera_motion == "lk" else None


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
        self._steady = SteadyPicture(settings.steady)
        inner = Listeners(self._deliver, listeners.on_error, listeners.on_lost, listeners.on_end)
        self.pipeline = Pipeline(self.source, self.task, inner, settings.pace, max_frames, self._steady)

    def start(self) -> None:
        self._started_ns = time.monotonic_ns()
        self.pipeline.start()

    def select(self, settings: Settings) -> None:
        """Use backend, precision, method and camera motion of `settings` from the next frame on.

        Raises AppError and changes nothing where they cannot be used. Another task or source needs another program.
        """
        if isinstance(self.task, FlowTask):
            self.task.select(*choose_method(settings, self.networks))
        elif isinstance(self.task, PoseTask):
            pose = self.networks.choose_pose(settings.backend, settings.precision)
            self.task.select(pose, pose.backend_name, settings.precision)
        else:
            network = self.networks.choose_expression(settings.backend, settings.precision)
            self.task.select(network, network.backend_name, settings.precision)
            if settings.camera_motion != self.settings.camera_motion:
                self.task.follow_camera(new_camera(settings))
        chosen = {name: getattr(settings, name) for name in ("backend", "precision", "method", "camera_motion")}
        self.settings = dataclasses.replace(self.settings, **chosen)

    def watch(self, zones: Sequence[Zone]) -> None:
        """Watch these zones from the next frame on, where the task has a flow; raises ZoneError for equal names."""
        if isinstance(self.task, FlowTask):
            self.task.watch(zones)

    def steady(self, is_on: bool) -> None:
        """Steady the picture shown and recorded from the next frame on, or no more."""
        self._steady.switch(is_on)

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
