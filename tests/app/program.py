# SPDX-License-Identifier: Apache-2.0
"""The program as its users start it: a process, its exit code, and the lines it says."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60.0
FOREIGN = ("INFO: Created TensorFlow Lite XNNPACK delegate", "libpng ", "Premature end of JPEG")
"""C libraries that write to stderr themselves and have no switch for it."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    said: list[str]  # lines of stderr but those of FOREIGN libraries
    wall_s: float


@contextmanager
def running(folder: Path, flags: str, script: str = "", **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Start `python -m app FLAGS` in `folder`, without a display and with its own settings; kill what is left of it.

    Flags are quoted as in a shell. With `script` this Python text runs in the program's place.
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    own = {"XDG_CONFIG_HOME": str(folder / "config"), "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, *(["-c", script] if script else ["-m", "app"]), *shlex.split(flags)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env={**kept, **own}, text=True, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], timeout_s: float = TIMEOUT_S) -> Ended:
    """Wait for the process; raises subprocess.TimeoutExpired when it does not end."""
    begin_s = time.monotonic()
    out, err = process.communicate(timeout=timeout_s)
    said = [line for line in err.splitlines() if not line.startswith(FOREIGN)]
    return Ended(process.returncode, out, said, time.monotonic() - begin_s)


def run(folder: Path, flags: str, script: str = "", **variables: str) -> Ended:
    """Run the program to its end."""
    with running(folder, flags, script, **variables) as process:
        return end(process)


def events(path: Path) -> list[dict[str, Any]]:
    """Return the events of a file whose every line is whole."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def n_frames(path: Path) -> int:
    """Return how many frames of a video decode."""
    video, count = cv2.VideoCapture(str(path)), 0
    while video.grab() and video.retrieve()[0]:
        count += 1
    video.release()
    return count
