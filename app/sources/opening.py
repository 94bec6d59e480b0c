# SPDX-License-Identifier: Apache-2.0
"""From what `--source` says to an open source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app.config import ConfigError
from app.sources.camera import Camera, first_working_camera
from app.sources.clip import Clip
from app.sources.demo import Demo
from app.sources.pace import Pace
from app.sources.source import Source
from app.sources.synthetic import Synthetic
from device.errors import AppError
from models.fetch import DEMO_CLIP, fetched


@dataclass(frozen=True, eq=False)
class Opened:
    """An open source, and a sentence for the banner when it is not the one the user would expect."""

    source: Source
    notice: str | None = None


def open_source(spec: str, pace: Pace, with_flow: bool = False) -> Opened:
    """Open `auto`, `demo`, `synthetic[:SEED]`, `camera:N` or a path, the synthetic one with its flow if wanted.

    Raises SourceError.
    """
    if spec == "auto":
        return _open_auto(pace, with_flow)
    if spec == "demo":
        return Opened(Demo(fetched(DEMO_CLIP), pace))
    if match := re.fullmatch(r"synthetic(?::(\d+))?", spec):
        return Opened(Synthetic(int(match[1] or 0), pace=pace, with_flow=with_flow))
    if match := re.fullmatch(r"camera:(\d+)", spec):
        return Opened(Camera(int(match[1])))
    if re.fullmatch(r"(camera|synthetic):.*", spec):
        raise ConfigError(f"--source {spec}: expected camera:N or synthetic:SEED with a whole number, like camera:0")
    return Opened(Clip(Path(spec), pace))


def _open_auto(pace: Pace, with_flow: bool) -> Opened:
    camera, reasons = first_working_camera()
    if camera is not None:
        return Opened(camera)
    notice = "; ".join(["no camera found", *reasons])
    try:
        return Opened(Demo(fetched(DEMO_CLIP), pace), notice)
    except AppError as error:
        notice = f"{notice}; the demo clip is missing too ({error})"
        return Opened(Synthetic(0, pace=pace, with_flow=with_flow), notice)
