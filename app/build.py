# SPDX-License-Identifier: Apache-2.0
"""The one place that knows every class: settings in, a running program out."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from app.chosen_task import BUILT_TASKS, choose_method, new_camera, new_task, new_twin
from app.compare.pair import Pair
from app.compare.second_path import SecondPath
from app.config import PRECISIONS, ConfigError, Settings
from app.frame import FrameResult
from app.motion.lines import Mark, zones_of
from app.opened_networks import NetworkFacts as NetworkFacts
from app.opened_networks import Networks as Networks
from app.output.compare_report import comparison, write_report
from app.output.events import open_events
from app.output.queued_file import QueuedFile
from app.output.recorder import Annotate, open_recorder
from app.output.session_recording import SessionRecording
from app.output.stats import Display, Run, statistics
from app.output.trace import trace, write_trace
from app.replay.conditions import ConditionedTask, Conditions
from app.runtime.ledger import Ledger
from app.runtime.pipeline import Listeners, Pipeline
from app.runtime.truth_score import TruthScore
from app.sources.adapted import adapted
from app.sources.opening import open_source
from app.sources.recorded import Recorded
from app.tasks.flow import FlowTask
from app.tasks.pose import PoseTask
from app.tasks.steady import SteadyPicture
from models.picture_geometry import Geometry

PRELOAD_PAUSE_S = 1.0


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
        self.settings, self.networks = settings, networks
        self._listeners, self._annotate = listeners, annotate
        self._recorder: QueuedFile | None = None
        self._events: QueuedFile | None = None
        self._session: SessionRecording | None = None
        self._second: SecondPath | None = None
        self._stopped_second: SecondPath | None = None
        self._preloading: threading.Thread | None = None
        self._is_closing = threading.Event()
        self.truth_score, self.ledger = TruthScore(), Ledger()
        self._started_ns = time.monotonic_ns()
        geometry = Geometry.parsed(settings.rotate, settings.fisheye, settings.roi)
        self.task = new_task(settings, networks)
        has_flow = settings.task == "flow"
        opened = open_source(settings.source, settings.pace, has_flow)
        self.source, self.notice = adapted(opened.source, geometry), opened.notice
        self._steady = SteadyPicture(settings.steady)
        inner = Listeners(self._deliver, listeners.on_error, listeners.on_lost, self._end)
        self._marks: tuple[Mark, ...] = ()
        recorded = self.source if isinstance(self.source, Recorded) else None
        wanted = (lambda frame: None) if recorded is None else partial(recorded.conditions, backend=settings.backend)
        self._conditioned = ConditionedTask(self.task, self._conditions, wanted, self._bring_about)
        pace = settings.pace if recorded is None else "max"  # no frame of a replay is dropped; its source keeps time
        self.pipeline = Pipeline(self.source, self._conditioned, inner, pace, max_frames, self._steady)

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
            if settings.tracker != self.settings.tracker:
                self.task.follow_with(settings.tracker)
        else:
            network = self.networks.choose_expression(settings.backend, settings.precision)
            self.task.select(network, network.backend_name, settings.precision)
            if settings.camera_motion != self.settings.camera_motion:
                self.task.follow_camera(new_camera(settings))
        names = ("backend", "precision", "method", "camera_motion", "tracker")
        chosen = {name: getattr(settings, name) for name in names}
        self.settings = dataclasses.replace(self.settings, **chosen)

    def compare(self, pair: Pair | None) -> None:
        """Send the frames through a second backend and precision too, None = no more; raises AppError.

        Results then carry what was `compared`. A comparison that went on before ends with its figures.
        """
        second, self._second = self._second, None
        if second is not None:
            second.stop()
            self._stopped_second = second
        if pair is None:
            return
        twin, is_every_frame = new_twin(self.settings, pair, self.networks.second()), self.settings.pace == "max"
        told, dropped = self._listeners, partial(getattr, self.pipeline, "dropped")
        self._second = SecondPath(
            twin, pair, told.on_result, told.on_error, dropped, is_every_frame, self._stopped_second
        )

    def open_second(self, pair: Pair) -> None:
        """Open what `compare` will use, which may take a while; any thread. Raises AppError."""
        new_twin(self.settings, pair, self.networks.second())

    def preload(self) -> None:
        """Open the task's network at the other precisions in a thread, so that a switch finds it open."""
        self._preloading = threading.Thread(target=self._preload, name="preload")
        self._preloading.start()

    def _preload(self) -> None:
        """One after another with pauses: LiteRT holds Python's lock while it opens a file, 0.1 s for the largest."""
        for precision in PRECISIONS:
            if self._is_closing.wait(PRELOAD_PAUSE_S):
                return
            self.networks.preload(self.settings.task, precision)

    @property
    def second_path(self) -> SecondPath | None:
        return self._second

    def watch(self, zones: Sequence[Mark]) -> None:
        """Watch zones for motion (task flow), or count people in zones and at lines (task pose).

        From the next frame on. Raises ZoneError for equal names.
        """
        if isinstance(self.task, FlowTask):
            self.task.watch(zones_of(zones))
        elif isinstance(self.task, PoseTask):
            self.task.watch(zones)
        self._marks = tuple(zones)

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

    def record_session(self, folder: Path) -> None:
        """Begin to keep frames, conditions and events in `folder`; raises OutputError."""
        self._session = SessionRecording(folder, self.settings, self.source.name, self._listeners.on_error)

    def _conditions(self) -> Conditions:
        return Conditions.of(self.settings, self._marks)

    def _bring_about(self, wanted: Conditions) -> None:
        """Inference thread of a replay: let the user's changes be done again."""
        self.select(wanted.settings(self.settings))
        self.watch(wanted.marks)

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
            counts=self.task.counts if isinstance(self.task, PoseTask) else (),
        )
        figures = statistics(run, self.pipeline.meters, display)
        if self._second is not None:
            figures["compare"] = comparison(self._second, run.task, (run.backend, run.precision))
        return figures

    def write_trace(self, path: Path) -> None:
        """Write what the threads did in the last minute as a trace file; raises OutputError."""
        write_trace(trace(self.ledger.entries(), list(self.pipeline.meters.reads), self.networks.runs()), path)

    def write_comparison(self, folder: Path) -> Path | None:
        """Write the figures and pictures of the comparison into `folder`, None where there is none.

        Raises OutputError; needs the drawing of the user interface.
        """
        if self._second is None or self._annotate is None:
            return None
        used = self.task.in_use
        figures = comparison(self._second, self.settings.task, (used.backend, used.precision))
        return write_report(figures, self._second.worst, self._annotate, folder)

    def close(self) -> None:
        """Stop the threads, finalise the outputs, free the source; raises TimeoutError naming a thread that hangs.

        A thread that hangs keeps its source open (closing a device under a running thread may crash), but the
        outputs are finalised all the same.
        """
        self._is_closing.set()
        with ExitStack() as outputs:
            if self._preloading is not None:
                outputs.callback(self._preloading.join, PRELOAD_PAUSE_S)
            if self._events is not None:
                outputs.callback(self._events.close)
            if self._session is not None:
                outputs.callback(self._session.close, self.networks.files())
            outputs.callback(self.stop_recording)
            outputs.callback(self._stop_pipeline)
            for second in (self._second, self._stopped_second):  # first: the inference thread may be waiting for it
                if second is not None:
                    second.close()

    def _stop_pipeline(self) -> None:
        self.pipeline.stop()
        self.source.close()

    def _deliver(self, result: FrameResult[Any]) -> None:
        """Inference thread: outputs first (they only queue), then the listener."""
        self.truth_score.add(result, time.monotonic_ns())
        if self._events is not None:
            self._events.write(result)
        if self._session is not None:
            self._session.write(dataclasses.replace(result, conditions=self._conditioned.conditions))
        recorder = self._recorder
        if recorder is not None:
            recorder.write(result)
        second = self._second
        if second is not None:
            second.offer(result)
        else:
            self._listeners.on_result(result)

    def _end(self) -> None:
        """Inference thread, after the last result: what waits for its twin comes first."""
        try:
            if self._second is not None:
                self._second.close(is_now=False)
        except TimeoutError as hang:
            self._listeners.on_error("compare", hang)
        self._listeners.on_end()
