# SPDX-License-Identifier: Apache-2.0
"""From what `--source` says to an open source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app.config import ConfigError, parse
from app.output.session_recording import file_sha256
from app.replay.session_folder import Description, ReplayError
from app.sources.adapted import adapted
from app.sources.camera import Camera, first_working_camera
from app.sources.clip import Clip
from app.sources.demo import Demo
from app.sources.pace import Pace
from app.sources.recorded import Recorded
from app.sources.source import Source
from app.sources.synthetic import Synthetic
from app.sources.synthetic_top import SyntheticTop
from device.errors import AppError
from models.fetch import DEMO_CLIP, fetched
from models.picture_geometry import Geometry


@dataclass(frozen=True, eq=False)
class Opened:
    """An open source, and a sentence for the banner when it is not the one the user would expect."""

    source: Source
    notice: str | None = None


def open_source(spec: str, pace: Pace, with_flow: bool = False) -> Opened:
    """Open `auto`, `demo`, `synthetic[:SEED]`, `synthetic-top[:SEED]`, `camera:N` or a path.

    `synthetic` with its flow if wanted.

    Raises SourceError.
    """
    if spec == "auto":
        return _open_auto(pace, with_flow)
    if match := re.fullmatch(r"replay:(.+)", spec):
        return Opened(Recorded(Path(match[1]), pace, open_again))
    if spec == "demo":
        return Opened(Demo(fetched(DEMO_CLIP), pace))
    if match := re.fullmatch(r"synthetic(?::(\d+))?", spec):
        return Opened(Synthetic(int(match[1] or 0), pace=pace, with_flow=with_flow))
    if match := re.fullmatch(r"synthetic-top(?::(\d+))?", spec):
        return Opened(SyntheticTop(int(match[1] or 0), pace=pace))
    if match := re.fullmatch(r"camera:(\d+)", spec):
        return Opened(Camera(int(match[1])))
    if re.fullmatch(r"(camera|synthetic|synthetic-top):.*", spec):
        raise ConfigError(f"--source {spec}: expected camera:N or synthetic:SEED with a whole number, like camera:0")
    return Opened(Clip(Path(spec), pace))


def open_again(description: Description) -> Source:
    """Return the source of a session that stored no frames, every frame in order; raises ReplayError or SourceError."""
    sha256, path = description.source_sha256, Path(description.source)
    if sha256 is not None:
        path = fetched(DEMO_CLIP) if description.source == "demo" else path
        if not path.is_file():
            raise ReplayError(f"the session was recorded from {path}, which is not there; put the file back")
        if file_sha256(path) != sha256:
            raise ReplayError(f"{path} is not the file that the session was recorded from; put that one back")
    settings = parse(dict(description.settings), path)
    geometry = Geometry.parsed(settings.rotate, settings.fisheye, settings.roi)
    return adapted(open_source(description.source, "max").source, geometry)


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
