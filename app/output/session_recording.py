# SPDX-License-Identifier: Apache-2.0
"""Record a session: each frame without loss (or that it can be had again), its conditions, and the event of it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import re
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from app.config import Settings
from app.frame import FrameResult
from app.output.events import event
from app.output.queued_file import OutputError, QueuedFile
from app.output.stats import VERSION
from app.replay.session_folder import FRAMES, Description, packed
from app.runtime.worker import OnError
from models.fetch import DEMO_CLIP, fetched
from models.results import Image

QUEUE = 8
PNG_LEVEL = 1
"""Of zlib: 8 ms for 640x480, in a thread of its own."""
NOT_KEPT = ("window_xywh", "media_folder", "kiosk", "lang", "mirror", "source", "pace")
"""Settings that change no result, and those that a replay has to choose itself."""


class SessionEncoder:
    """A record a frame."""

    def __init__(self, has_frames: bool) -> None:
        self._has_frames = has_frames
        self._conditions: dict[str, Any] | None = None

    def add(self, file: BinaryIO, result: FrameResult[Any]) -> None:
        frame = result.frame
        header: dict[str, Any] = {"crc32": crc32(frame.image), "event": event(result)}
        conditions = None if result.conditions is None else result.conditions.fields()
        if conditions != self._conditions:
            header["conditions"] = self._conditions = conditions
        file.write(packed(header, encoded(frame.image) if self._has_frames else b""))

    def finish(self, file: BinaryIO) -> None:
        """Every record is whole as soon as it is written: nothing is left to do."""


class SessionRecording:
    """The folder being written; `write` waits where the disk is slow, so that no frame is missing from it."""

    def __init__(self, folder: Path, settings: Settings, source: str, on_error: OnError) -> None:
        """Raises OutputError when `folder` cannot be written, or holds something already."""
        spec, sha256 = reusable(settings, source)
        self._folder = folder
        kept = {k: v for k, v in dataclasses.asdict(settings).items() if k not in NOT_KEPT}
        kind = "frames" if spec is None else "source"
        self._description = Description(VERSION, kept, spec or source, kind, sha256, machine(), [])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise OutputError(f"--record-session {folder}: the folder is not empty; name a new one")
            self._description.save(folder)
        except OSError as error:
            raise OutputError(f"--record-session {folder}: {error.strerror}; choose another place") from error
        encoder = SessionEncoder(spec is None)
        self._file = QueuedFile("session", folder / FRAMES, encoder, QUEUE, True, on_error)

    def write(self, result: FrameResult[Any]) -> None:
        """Add a frame (inference thread)."""
        self._file.write(result)

    def close(self, models: list[dict[str, str]]) -> None:
        """Finish the files; `models` are the networks that ran. Raises OutputError."""
        self._file.close()
        whole = dataclasses.replace(self._description, models=models, n_frames=self._file.n_written)
        try:
            whole.save(self._folder)
        except OSError as error:
            raise OutputError(f"cannot finish {self._folder}: {error.strerror}; its frames can be read") from error


def reusable(settings: Settings, source: str) -> tuple[str | None, str | None]:
    """Return the source from which the same frames can be had again and its file's sha256; None where there is none.

    Every frame of a clip or a scene comes at `--pace max` only.
    """
    if settings.pace != "max":
        return None, None
    if re.fullmatch(r"synthetic(-top)?(:\d+)?", settings.source):
        return settings.source, None
    path = fetched(DEMO_CLIP) if settings.source == "demo" else Path(settings.source)
    if not path.is_file():
        return None, None
    spec = "demo" if settings.source == "demo" else str(path.resolve())
    return spec, file_sha256(path)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def machine() -> dict[str, str]:
    """Return what floats may depend on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "kernels": os.environ.get("EDGE_LOWBIT", "auto"),
    }


def crc32(image: Image) -> int:
    return zlib.crc32(np.ascontiguousarray(image).data)


def encoded(image: Image) -> bytes:
    """Return the picture as a PNG; raises OutputError."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    is_encoded, png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])
    if not is_encoded:
        raise OutputError(f"a frame of {image.shape[1]}x{image.shape[0]} px could not be encoded")
    return bytes(png.tobytes())
