# SPDX-License-Identifier: Apache-2.0
"""A computer with cameras that can be plugged, unplugged, stalled and taken by others, in a folder."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sources.camera import Host

PERIOD_S = 0.005


class FakeCapture:
    """Stands in for cv2.VideoCapture: frames every 5 ms while its node exists."""

    def __init__(self, host: FakeHost, path: str) -> None:
        self._host = host
        self._node = Path(path)
        self._is_released = False
        self.properties: dict[int, float] = {}
        self.n_grabbed = 0

    def isOpened(self) -> bool:  # noqa: N802
        return self._host.opens and self._node.exists()

    def grab(self) -> bool:
        assert not self._is_released, "read after release"
        self._host.stall.wait()
        time.sleep(PERIOD_S)
        self.n_grabbed += 1
        if self._host.raises:
            error = cv2.error("OpenCV(5.0.0) error: (-215:Assertion failed)")
            error.err = "buffers[buf.index].memories[MEMORY_ORIG].length == buf.length"
            raise error
        return self._node.exists() and not self._host.is_silent

    def retrieve(self) -> tuple[bool, NDArray[Any]]:
        width, height = (int(self.properties[key]) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 0] = 255
        return not self._host.sends_broken, image

    def get(self, propId: int) -> float:  # noqa: N803
        return self.properties.get(propId, 0.0)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803
        self.properties[propId] = min(value, 800) if propId == cv2.CAP_PROP_FRAME_WIDTH else value
        return True

    def release(self) -> None:
        assert not self._is_released, "released twice"
        self._is_released = True
        self._host.n_open -= 1


class FakeHost:
    """The folders of a computer, and switches for what goes wrong. `stall` cleared = every grab blocks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opens, self.is_silent, self.sends_broken, self.raises = True, False, False, False
        self.stall = threading.Event()
        self.stall.set()
        self.captures: list[FakeCapture] = []
        self.opened_s: list[float] = []
        self.n_open = 0
        for name in ("sys", "dev/v4l/by-id", "proc"):
            (folder / name).mkdir(parents=True)

    def plug(self, number: int, name: str = "HD Webcam", index: int = 0, by_id: str | None = None) -> Path:
        entry = self.folder / f"sys/video{number}"
        entry.mkdir()
        (entry / "name").write_text(f"{name}\n")
        (entry / "index").write_text(f"{index}\n")
        node = self.folder / f"dev/video{number}"
        node.touch()
        if by_id is not None:
            (self.folder / "dev/v4l/by-id" / by_id).symlink_to(f"../../video{number}")
        return node

    def unplug(self, number: int) -> None:
        for path in (self.folder / "dev/v4l/by-id").iterdir():
            if path.resolve().name == f"video{number}":
                path.unlink()
        (self.folder / f"dev/video{number}").unlink()
        entry = self.folder / f"sys/video{number}"
        for path in entry.iterdir():
            path.unlink()
        entry.rmdir()

    def hold(self, node: Path, pid: int, comm: str) -> None:
        """Let a process have `node` open."""
        (self.folder / f"proc/{pid}/fd").mkdir(parents=True)
        (self.folder / f"proc/{pid}/comm").write_text(f"{comm}\n")
        (self.folder / f"proc/{pid}/fd/7").symlink_to(node)

    def open_capture(self, path: str) -> FakeCapture:
        self.captures.append(FakeCapture(self, path))
        self.opened_s.append(time.monotonic())
        self.n_open += 1
        return self.captures[-1]

    def host(self, read_s: float = 0.2, first_frame_s: float = 0.3) -> Host:
        return Host(
            self.folder / "sys",
            self.folder / "dev",
            self.folder / "proc",
            self.open_capture,
            read_s,
            first_frame_s,
            backoff_s=(0.02, 0.08),
        )
