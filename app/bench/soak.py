# SPDX-License-Identifier: Apache-2.0
"""`python -m app.bench.soak`: the whole program for minutes on end; memory, threads, files and rate must stay level.

The program runs in a child process on the looped demo at real time, draws and records, changes precision every few
seconds and begins a new recording now and then; it counts its own resources once a second.

Growth of memory is the Theil-Sen slope over `N_BLOCKS` medians of the samples after the warm-up: allocators move in
steps and single samples jump, which least squares would take for growth or hide it behind. The soak fails when the
lower end of the 95 % interval of that slope lies above `GROWTH_BOUND`, and the slope comes to more than `SETTLING_MIB`
over the judged part: when growth passes the bound, and is neither noise nor a program that is still settling. A short
soak can therefore find only a large leak (of a minute: 10 MiB a minute), one of ten minutes any above the bound.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import theilslopes

from app.bench.runs import BenchError
from app.build import Networks, Program
from app.config import Settings
from app.runtime.machine_load import rss_mb
from app.runtime.pipeline import Listeners
from device.errors import AppError

GROWTH_BOUND = 1.0
"""MiB a minute."""
SETTLING_MIB = 8.0
"""Arenas and caches fill for about three minutes, as each thing happens for the first time: 6 MiB, measured."""
LEAST_RATE = 0.9
"""Of the rate just after the warm-up; less at the end is a program that slows down."""
N_BLOCKS = 20
PERIOD_S = 1.0
SWITCH_S, ROTATE_S = 3.0, 10.0
"""How often the precision changes, and how often a new recording begins."""
EXIT_S = 60.0
"""Given to the child to start and to end."""


@dataclass(frozen=True)
class Sample:
    """What one second of the program shows."""

    time_s: float
    rss_mib: float
    n_threads: int
    n_files: int
    processed: int
    switches: int
    recordings: int


@dataclass(frozen=True)
class Growth:
    """MiB a minute, with its 95 % interval."""

    slope: float
    low: float
    high: float


def warm_up_s(run_s: float) -> float:
    """Return how much of the begin is not judged: a fifth of the run, 60 s at most."""
    return min(60.0, 0.2 * run_s)


def growth(time_s: Sequence[float], rss_mib: Sequence[float]) -> Growth:
    """Return the slope of the memory, see above; needs a sample for each of the blocks."""
    if len(time_s) != len(rss_mib) or len(time_s) < N_BLOCKS:
        raise ValueError(f"expected at least {N_BLOCKS} samples with a time each, got {len(time_s)} and {len(rss_mib)}")
    minutes = [float(np.median(block)) / 60 for block in np.array_split(np.asarray(time_s), N_BLOCKS)]
    mib = [float(np.median(block)) for block in np.array_split(np.asarray(rss_mib), N_BLOCKS)]
    slope, _, low, high = theilslopes(mib, minutes, 0.95)
    return Growth(float(slope), float(low), float(high))


def rate_hz(samples: Sequence[Sample]) -> float:
    """Return the frames processed a second between the first and the last sample."""
    return (samples[-1].processed - samples[0].processed) / (samples[-1].time_s - samples[0].time_s)


def judge(samples: Sequence[Sample], run_s: float) -> dict[str, Any]:
    """Return the figures of a soak; `failures` holds one sentence for each bound that is exceeded."""
    steady = [sample for sample in samples if sample.time_s >= warm_up_s(run_s)]
    if len(steady) < 2 * N_BLOCKS:
        raise BenchError(
            f"the soak gave {len(steady)} samples after its warm-up, {2 * N_BLOCKS} are needed; run longer"
        )
    third = len(steady) // 3
    first, last = steady[:third], steady[-third:]
    memory = growth([s.time_s for s in steady], [s.rss_mib for s in steady])
    figures: dict[str, Any] = {
        "run_s": round(samples[-1].time_s, 1),
        "warm_up_s": round(warm_up_s(run_s), 1),
        "samples": len(samples),
        "rss_mib": {"first": steady[0].rss_mib, "last": steady[-1].rss_mib, "max": max(s.rss_mib for s in samples)},
        "grown_mib": round(memory.slope * (steady[-1].time_s - steady[0].time_s) / 60, 2),
        "rss_mib_per_min": {name: round(value, 3) for name, value in asdict(memory).items()} | {"bound": GROWTH_BOUND},
        "threads": ends([s.n_threads for s in first], [s.n_threads for s in last]),
        "files": ends([s.n_files for s in first], [s.n_files for s in last]),
        "fps": {"first": round(rate_hz(first), 2), "last": round(rate_hz(last), 2)},
        "switches": samples[-1].switches,
        "recordings": samples[-1].recordings,
    }
    return {**figures, "failures": failures(figures)}


def ends(first: Sequence[float], last: Sequence[float]) -> dict[str, float]:
    """Return the medians at the begin and at the end of the run."""
    return {"first": statistics.median(first), "last": statistics.median(last)}


def failures(figures: dict[str, Any]) -> list[str]:
    """Return what is wrong with the figures, in sentences."""
    out = []
    memory, fps = figures["rss_mib_per_min"], figures["fps"]
    if memory["low"] > GROWTH_BOUND and figures["grown_mib"] > SETTLING_MIB:
        interval = f"{memory['slope']} MiB a minute (95 % interval {memory['low']} to {memory['high']})"
        out.append(f"memory grows by {interval}, more than {GROWTH_BOUND} is a leak")
    for name in ("threads", "files"):
        n = figures[name]
        if n["last"] > n["first"]:
            out.append(f"open {name} rose from {n['first']:g} to {n['last']:g}: not all that were begun have ended")
    if fps["last"] < LEAST_RATE * fps["first"]:
        out.append(f"the rate fell from {fps['first']} to {fps['last']} frames a second")
    return out


def child(run_s: float) -> None:
    """Run the program and print one Sample a second as JSON (main thread of the child process)."""
    from app.ui.run import offscreen_annotate

    errors: list[Exception] = []
    listeners = Listeners(lambda _: None, lambda _, error: errors.append(error), lambda _: None, lambda: None)
    settings = Settings(source="demo", pace="realtime")
    with offscreen_annotate("en") as annotate, Networks() as networks, tempfile.TemporaryDirectory() as folder:
        program = Program(settings, networks, listeners, annotate)
        try:
            exercise(program, Path(folder), run_s, errors)
        finally:
            program.close()
    if errors:
        raise errors[0]


def exercise(program: Program, folder: Path, run_s: float, errors: list[Exception]) -> None:
    """Switch, record and sample until `run_s` have passed or something fails."""
    precisions = itertools.cycle(("int8", "float"))
    switches, recordings = 0, 0
    program.start()
    start_s = time.monotonic()
    for second in range(1, math.ceil(run_s / PERIOD_S) + 1):
        elapsed_s = time.monotonic() - start_s
        if elapsed_s >= recordings * ROTATE_S:
            video = program.stop_recording()
            if video is not None:
                video.unlink()
            program.record(folder / f"{recordings}.mp4")
            recordings += 1
        if elapsed_s >= (switches + 1) * SWITCH_S:
            program.select(replace(program.settings, backend="cpu", precision=next(precisions)))
            switches += 1
        time.sleep(max(0.0, start_s + second * PERIOD_S - time.monotonic()))
        print(json.dumps(asdict(sample(program, time.monotonic() - start_s, switches, recordings))), flush=True)
        if errors:
            return


def sample(program: Program, time_s: float, switches: int, recordings: int) -> Sample:
    """Return what this process uses now; threads are those of the kernel, so also those of LiteRT and OpenCV."""
    n_threads, n_files = (len(list(Path("/proc/self", name).iterdir())) for name in ("task", "fd"))
    processed = program.pipeline.meters.processed
    return Sample(round(time_s, 2), round(rss_mb(), 2), n_threads, n_files, processed, switches, recordings)


def run_child(run_s: float) -> list[Sample]:
    """Run the program in a process of its own; returns its samples, raises BenchError when it fails or hangs."""
    command = [sys.executable, "-m", "app.bench.soak", "--child", str(run_s)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, timeout=run_s + EXIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(
            f"the program did not end {EXIT_S:.0f} s after its {run_s:.0f} s: a thread of it hangs"
        ) from error
    if done.returncode != 0:
        raise BenchError(
            f"the program ended with code {done.returncode} after {len(done.stdout.splitlines())} s; see above"
        )
    return [Sample(**json.loads(line)) for line in done.stdout.splitlines()]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.bench.soak", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--child", type=float, metavar="SECONDS", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        if given.child is not None:
            child(given.child)
            return 0
        figures = judge(run_child(60 * given.minutes), 60 * given.minutes)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; a soak has no figures before its end", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2))
    if figures["failures"]:
        print("; ".join(figures["failures"]), file=sys.stderr)
    return 1 if figures["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
