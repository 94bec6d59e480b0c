# SPDX-License-Identifier: Apache-2.0
"""The program that runs behind the window: opened, swapped and closed here, without any widget."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import build, choices
from app.build import NetworkFacts, Networks, Program
from app.choices import Choice
from app.compare.pair import Pair
from app.compare.second_path import SecondPath
from app.config import Settings, with_setting
from app.frame import FrameResult
from app.motion.lines import Mark
from app.output.stats import Display
from app.ui.hud import Numbers
from app.ui.overlay import Annotator
from app.ui.signals import ProgramSignals
from device.errors import AppError, BackendUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Startup:
    """What the first program does at once, from the command line."""

    record: Path | None = None
    events: Path | None = None
    max_frames: int | None = None
    compare: Pair | None = None
    record_session: Path | None = None
    trace: Path | None = None


class Session:
    """At most one program at a time; a change of source makes another, the networks stay. Main thread only."""

    def __init__(self, networks: Networks, settings: Settings, shown: Callable[[], Display]) -> None:
        """`shown` gives what the window has painted of the present program."""
        self.networks, self.settings, self._shown = networks, settings, shown
        self.annotate = Annotator()
        self.program: Program | None = None
        self.signals = ProgramSignals()
        self.figures: dict[str, Any] | None = None  # of the last program, taken when it was closed
        self.hung = ""  # the sentence that names a thread which did not stop
        self.is_paused = False
        self._trace: Path | None = None  # where the first program's goes when it is closed
        self._zones: tuple[Mark, ...] = ()

    def open(self, settings: Settings, startup: Startup | None = None) -> ProgramSignals:
        """Build the program for `settings`, not started yet. Raises AppError; then there is no program.

        The one before must be closed: both may want the same camera.
        """
        wanted = startup or Startup()
        self.signals = ProgramSignals()
        self.is_paused = False
        program = build.Program(settings, self.networks, self.signals.listeners(), self.annotate, wanted.max_frames)
        program.watch(self._zones)
        try:
            if wanted.record is not None:
                program.record(wanted.record)
            if wanted.record_session is not None:
                program.record_session(wanted.record_session)
            if wanted.events is not None:
                program.write_events(wanted.events)
        except AppError:
            program.close()
            raise
        self.program, self.settings, self._trace = program, settings, wanted.trace
        return self.signals

    def close(self) -> str | None:
        """Stop and free the program, 2 s at most for each thread; returns the sentence about one that hangs."""
        program = self.program
        self.signals.silence()
        if program is None:
            return None
        self.figures = program.statistics(self._shown())
        self.program = None
        try:
            if self._trace is not None:
                program.write_trace(self._trace)
        except AppError as error:
            log.error("%s", error)
        try:
            program.close()
        except TimeoutError as hang:
            log.error("%s", hang)
            self.hung = str(hang)
            return self.hung
        except AppError as error:
            log.error("%s", error)
            return str(error)
        return None

    def stop_recording(self) -> Path | None:
        """Finish the video if there is one; return its path. Raises AppError."""
        return self.program.stop_recording() if self.program is not None else None

    def start(self) -> None:
        if self.program is not None:
            self.program.start()
            self.program.preload()

    def pause(self, is_paused: bool) -> None:
        if self.program is not None:
            self.is_paused = is_paused
            self.program.pipeline.pause(is_paused)

    def watch(self, zones: tuple[Mark, ...]) -> None:
        """Watch these zones in this program and the next ones; raises ZoneError where two have one name."""
        self._zones = zones
        if self.program is not None:
            self.program.watch(zones)

    def steady(self, is_on: bool) -> None:
        """Steady the picture from the next frame on, or no more."""
        self.settings = dataclasses.replace(self.settings, steady=is_on)
        if self.program is not None:
            self.program.steady(is_on)

    def compare(self, pair: Pair | None) -> None:
        """Send the frames through a second backend and precision too, None = no more; raises AppError."""
        if self.program is not None:
            self.program.compare(pair)

    def open_second(self, pair: Pair) -> None:
        """Open the network of `pair` for the second path, so that `compare` finds it; any thread. Raises AppError."""
        program = self.program
        if program is not None:
            program.open_second(pair)

    def second_path(self) -> SecondPath | None:
        """Return the comparison that goes on, with its figures."""
        return None if self.program is None else self.program.second_path

    def compared_with(self) -> Pair | None:
        """Return the second pair of the comparison that goes on."""
        second = self.second_path()
        return None if second is None else second.pair

    def pick(self, name: str, value: str) -> None:
        """Use another backend, precision, method or camera motion (`name`); raises AppError and changes nothing."""
        wanted = with_setting(self.settings, name, value)
        if self.program is not None:
            self.program.select(wanted)
        self.settings = wanted

    def note_paint(self, result: FrameResult[Any], begin_ns: int, end_ns: int) -> None:
        """Remember when a result was painted for the first time."""
        if self.program is not None:
            self.program.ledger.add(result, (begin_ns, end_ns))

    def pairs(self) -> list[Choice]:
        """Return what the present task can be compared with, the rest with the reason."""
        return choices.pair_choices(self.settings)

    def backends(self) -> list[Choice]:
        """Return the backends, those that cannot run the chosen precision with the reason."""
        return choices.backend_choices(self.settings)

    def precisions(self) -> list[Choice]:
        """Return the precisions, those that the chosen backend cannot run with the reason."""
        return choices.precision_choices(self.settings)

    def methods(self) -> list[Choice]:
        """Return the flow methods, those that cannot be used with the reason."""
        return choices.method_choices(self.settings)

    def trackers(self) -> list[Choice]:
        """Return what can number people, with the reason where none are tracked."""
        return choices.tracker_choices(self.settings)

    def camera_motions(self) -> list[Choice]:
        """Return what can tell the tracker of the camera's motion, with the reason where none is asked."""
        return choices.camera_motion_choices(self.settings)

    def network_facts(self, backend: str, precision: str) -> NetworkFacts | None:
        """Return bits and time of the task's network, None where it is not loaded, or not used."""
        if self.settings.task == "flow" and self.settings.method != "net":
            return None
        return self.networks.facts(self.settings.task, backend, precision)

    @property
    def notice(self) -> str | None:
        """Why the source is not the one the user would expect."""
        return None if self.program is None else self.program.notice

    @property
    def is_recording(self) -> bool:
        return self.program is not None and self.program.recorder is not None

    @property
    def is_camera_on(self) -> bool:
        """Whether a camera is open (`auto` that found none plays the demo and has a notice)."""
        if self.program is None:
            return False
        source = self.settings.source
        return source.startswith("camera:") or (source == "auto" and self.program.notice is None)

    def source_text(self) -> str:
        """Return name, size and rate of the source as negotiated, "" where there is none."""
        if self.program is None:
            return ""
        source = self.program.source
        width, height = source.size_wh
        rate = f" · {source.fps:.4g} fps" if source.fps > 0 else ""
        return f"{source.name} · {width}×{height}{rate}"

    def numbers(self) -> Numbers:
        """Return the numbers of the pipeline, over the last second."""
        if self.program is None:
            return Numbers()
        now_ns = time.monotonic_ns()
        meters = self.program.pipeline.meters
        return Numbers(
            inference_hz=meters.inference.hz(now_ns),
            capture_hz=meters.capture.hz(now_ns),
            dropped=self.program.pipeline.dropped,
            score=self.program.truth_score.recent(now_ns),
        )


def next_available(choices: list[Choice], current: str) -> str:
    """Return the choice after `current` that can be used here, in a circle.

    Raises BackendUnavailable with the reason against the first other one where none can be used.
    """
    start = 1 + next((i for i, choice in enumerate(choices) if choice.value == current), -1)
    others = [choice for choice in [*choices[start:], *choices[:start]] if choice.value != current]
    usable = [choice.value for choice in others if choice.reason is None]
    if not usable:
        raise BackendUnavailable(
            next((choice.reason for choice in others if choice.reason), "there is no other choice")
        )
    return usable[0]
