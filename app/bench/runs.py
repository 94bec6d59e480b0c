# SPDX-License-Identifier: Apache-2.0
"""Whole-program runs in processes of their own: the program as a script would call it, and a peer beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from device.errors import AppError

TIMEOUT_S = 300


class BenchError(AppError):
    """A measurement that could not be made."""


@dataclass(frozen=True)
class RunFigures:
    """One run over a clip: frames a second of wall time, processor time a frame, memory of the process.

    `fps` counts from the first frame; `cpu_ms` is that of the whole process, so a short clip bears much of its start.
    """

    fps: float
    cpu_ms: float
    rss_mb: float
    stage_ms: dict[str, dict[str, float]]
    size: str
    frames: int


def run_program(clip: Path, flags: list[str], is_drawn: bool, frames: int | None) -> RunFigures:
    """Run `python -m app --headless --pace max`; drawn = with the annotated video encoded to /dev/null as well."""
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        command = [sys.executable, "-m", "app", "--headless", "--source", str(clip), "--pace", "max"]
        command += [*flags, "--stats", str(stats)]
        command += ["--record", "/dev/null"] if is_drawn else []
        command += ["--frames", str(frames)] if frames else []
        cpu_s = timed(command)
        found = json.loads(stats.read_text())
    n = found["frames"]["processed"]
    return RunFigures(found["fps"]["inference"], 1e3 * cpu_s / n, found["rss_mb"], found["stage_ms"], clip.name, n)


def run_peer(clip: Path, frames: int | None) -> RunFigures:
    """Run the obvious script (app/bench/peer_mediapipe.py) on the same clip."""
    if find_spec("mediapipe") is None:
        raise BenchError("the peer MediaPipe is not installed; run `make bench`, which installs it")
    script = Path(__file__).parent / "peer_mediapipe.py"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "peer.json"
        command = [sys.executable, str(script), str(clip), str(out), str(frames or 0)]
        cpu_s = timed(command, {**os.environ, "PYTHONPATH": "."})
        found: dict[str, Any] = json.loads(out.read_text())
    n = found["frames"]
    return RunFigures(n / found["wall_s"], 1e3 * cpu_s / n, found["rss_mb"], {}, clip.name, n)


def timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Run a command; return the processor time of it and its children in s. Raises BenchError with its last line."""
    before = os.times()
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{' '.join(command)} did not end within {TIMEOUT_S} s") from error
    after = os.times()
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
    return after.children_user + after.children_system - before.children_user - before.children_system
