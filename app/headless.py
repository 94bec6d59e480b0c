# SPDX-License-Identifier: Apache-2.0
"""Run without a window: until the source ends, N frames are done, something fails, or a signal comes."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.build import Networks, Program
from app.cli import Command
from app.compare.pair import Pair
from app.frame import FrameResult
from app.motion.zone_file import load_zones
from app.output.events import event
from app.output.recorder import Annotate
from app.output.stats import write_statistics
from app.replay.check import WHOLE_NUMBERS, Check, expect_same_networks
from app.replay.session_folder import ReplayError
from app.runtime.pipeline import Listeners
from app.runtime.truth_score import Score
from app.sources.recorded import Recorded
from device.errors import AppError

log = logging.getLogger(__name__)

REPORT_PERIOD_S = 10.0
DEFAULT_STATS = Path("out/stats.json")
"""Where a comparison is written to when no other place is named: into that folder."""


class HeadlessRun:
    """One run; `error` is the first failure of a worker."""

    def __init__(self, command: Command, networks: Networks, annotate: Annotate | None) -> None:
        self._done = threading.Event()
        self.error: Exception | None = None
        self.check = Check() if command.is_check else None
        self.report: Path | None = None  # the page of the comparison, where there was one
        listeners = Listeners(self._note, self._fail, self._report_loss, self._done.set)
        self._command = command
        zones = () if command.zones is None else load_zones(command.zones)
        self._program = Program(command.settings, networks, listeners, annotate, command.frames)
        self._program.watch(zones)
        self._compare(command.compare)

    def run(self) -> dict[str, Any]:
        """Return the figures. Raises AppError for a failure; TimeoutError for a thread that hangs at the end."""
        if self._program.notice:
            log.warning("%s", self._program.notice)
        try:
            if self._command.record is not None:
                self._program.record(self._command.record)
            if self._command.record_session is not None:
                self._program.record_session(self._command.record_session)
            if self._command.events is not None:
                self._program.write_events(self._command.events)
            self._program.start()
            self._wait()
            figures = self._program.statistics()
            if self._command.stats is not None:  # now: a thread that hangs at the end must not take the figures along
                write_statistics(figures, self._command.stats)
            stats = self._command.stats or DEFAULT_STATS
            self.report = self._program.write_comparison(stats.parent)
            if self._command.trace is not None:
                self._program.write_trace(self._command.trace)
        finally:
            self._program.close()
        if self.error is not None:
            raise self.error
        if self.check is not None:
            self._expect_same(self.check, figures)
        figures["truth"] = self._program.truth_score.whole()
        return figures

    def _expect_same(self, check: Check, figures: dict[str, Any]) -> None:
        """Add what a replay's check found; raises ReplayError where it says anything else than the recorded run."""
        source = self._program.source
        assert isinstance(source, Recorded)
        expect_same_networks(source.description, self._program.networks.files())
        if check.fault:
            raise ReplayError(f"{source.name} differs in {check.n_frames - check.n_equal} frames; {check.fault}")
        figures["check"] = {"frames": check.n_frames, "equal": check.n_equal, "largest_difference": check.largest}

    def _compare(self, pair: Pair | None) -> None:
        try:
            self._program.compare(pair)
        except AppError:
            self._program.close()
            raise

    def stop(self, *_signal: object) -> None:
        self._done.set()

    def _wait(self) -> None:
        next_report = time.monotonic() + REPORT_PERIOD_S
        while not self._done.wait(0.2):  # a bounded wait, so that Python sees signals
            if time.monotonic() > next_report:
                next_report += REPORT_PERIOD_S
                rate = self._program.pipeline.meters.inference.hz(time.monotonic_ns())
                log.info("%d frames, %.1f a second", self._program.pipeline.meters.processed, rate)

    def _note(self, result: FrameResult[Any]) -> None:
        self._program.ledger.add(result, None)
        source = self._program.source
        if self.check is not None and isinstance(source, Recorded):
            is_integer = result.precision in WHOLE_NUMBERS
            self.check.add(source.events.pop(result.frame.seq), event(result), is_integer)

    def _fail(self, worker: str, error: Exception) -> None:
        self.error = self.error or (error if isinstance(error, AppError) else WorkerError(worker, error))
        self._done.set()

    @staticmethod
    def _report_loss(sentence: str | None) -> None:
        log.warning("%s", sentence or "the source is back")


class WorkerError(AppError):
    """A bug: a thread ended with an error nobody planned for."""

    def __init__(self, worker: str, error: Exception) -> None:
        super().__init__(
            f"the {worker} thread failed: {type(error).__name__}: {error}; run with --verbose to see where"
        )


def run_headless(command: Command, networks: Networks, annotate: Annotate | None) -> dict[str, Any]:
    """Run to the end with SIGINT and SIGTERM as a wish to stop (outputs are finalised); return the figures."""
    run = HeadlessRun(command, networks, annotate)
    restore: list[Callable[[], Any]] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.signal(number, run.stop)
        restore.append(lambda number=number, before=before: signal.signal(number, before))  # type: ignore[misc]
    try:
        return run.run()
    finally:
        for put_back in restore:
            put_back()


def summary(figures: dict[str, Any]) -> str:
    """Return the figures of a run in the lines a person reads."""
    frames, fps, latency = figures["frames"], figures["fps"], figures["latency_ms"]
    networks = ", ".join(f"{m['name']} {m['ms_p50']:.2f} ms" for m in figures["models"])
    stages = ", ".join(f"{name} {ms['p50']:.2f}" for name, ms in figures["stage_ms"].items())
    return "\n".join(
        [
            f"source     {figures['source']}: {frames['captured']} frames, {frames['processed']} processed, "
            f"{frames['dropped']} dropped in {figures['wall_s']:.1f} s",
            f"rate       {fps['inference']:.1f} frames a second ({figures['backend']}, {figures['precision']})",
            f"latency    capture to result {latency['p50']:.1f} ms median, {latency['p95']:.1f} p95",
            f"stages     median ms: {stages}",
            f"networks   {'median: ' + networks if networks else 'none'}",
            *(f"cycles     {counted(m)}" for m in figures["models"] if "cycles" in m),
            *compared(figures.get("compare")),
            *checked(figures.get("check")),
            *scored(figures.get("truth", Score())),
            f"memory     {figures['rss_mb']:.0f} MiB resident",
        ]
    )


def compared(figures: dict[str, Any] | None) -> list[str]:
    """Return the line about a comparison, none without one."""
    if figures is None:
        return []
    first, second = ("{backend} {precision} {network_ms_p50:.2f} ms".format(**figures[k]) for k in ("first", "second"))
    agreement = "nothing to compare" if figures["agreement"] is None else f"{100 * figures['agreement']:.1f} % agree"
    value = f"{figures['measure']} {figures['value']}, {figures['frames']} frames"
    return [f"compare    {first}, {second}: {agreement}, {value}"]


def scored(score: Score) -> list[str]:
    """Return the line about the truth of a synthetic scene, none of another source."""
    known = []
    if score.recall is not None:
        known.append(f"{100 * score.recall:.1f} % of the true boxes found, {score.id_switches} id switches")
    if score.epe_px is not None:
        known.append(f"flow error {score.epe_px:.2f} px")
    return [f"truth      {', '.join(known)}"] if known else []


def checked(figures: dict[str, Any] | None) -> list[str]:
    """Return the line about the check of a replay, none without one."""
    if figures is None:
        return []
    largest = ", ".join(f"{name} {apart:g}" for name, apart in figures["largest_difference"].items())
    rest = f"; largest difference: {largest}" if largest else ""
    return [f"check      {figures['equal']} of {figures['frames']} frames say the same as recorded{rest}"]


def counted(model: dict[str, Any]) -> str:
    """Return what the accelerator counted for a network of `--stats`; a simulated time is one at an assumed clock."""
    text = f"{model['cycles']:,} cycles = {1e3 * model['cycles'] / model['clock_hz']:.2f} ms"
    if model["simulated"]:
        text = f"simulated accelerator: {text} at {model['clock_hz'] / 1e6:.0f} MHz"
    return f"{text} ({model['name']}, the last run, ARM work excluded)"
