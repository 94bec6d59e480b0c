# SPDX-License-Identifier: Apache-2.0
"""V4L2 cameras through OpenCV: opening, negotiating, and failures in words. The reading thread is grabber.py's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from app.frame import Frame
from app.sources.decoder import to_rgb
from app.sources.grabber import BACKOFF_S, Capture, Grabber
from app.sources.quiet import silence_opencv
from app.sources.source import Source, SourceError, SourceLost
from app.sources.video_node import DEV, PROC, SYSFS, CameraNode, list_cameras, node_holders

__all__ = ["Camera", "CameraNode", "Host", "first_working_camera", "list_cameras"]

READ_S = 1.0
# A USB camera sets its exposure and starts its stream in up to about 3 s.
FIRST_FRAME_S = 5.0
# Two, not one: with a single buffer a USB camera has nowhere to put the frame that arrives while the last one is
# decoded, and every second frame is lost. The grabber drains them at once, so no frame grows old in a buffer.
N_BUFFERS = 2
OTHER = "choose another with --source camera:N or use --source demo"


def open_v4l2(path: str) -> Capture:
    """Return OpenCV's capture of the node or link `path`."""
    silence_opencv()
    # Whole seconds, read by OpenCV at its first wait: bounds how long the grabber takes to see a stall or to end.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


@dataclass(frozen=True)
class Host:
    """Where this computer shows its cameras, and how one is opened and waited for; tests give their own."""

    sysfs: Path = SYSFS
    dev: Path = DEV
    proc: Path = PROC
    open_capture: Callable[[str], Capture] = field(default=open_v4l2)
    read_s: float = READ_S
    first_frame_s: float = FIRST_FRAME_S
    backoff_s: tuple[float, float] = BACKOFF_S

    def cameras(self) -> list[CameraNode]:
        """Return the cameras that are here."""
        return list_cameras(self.sysfs, self.dev)


class Camera(Source):
    """A camera; `read` gives the newest frame, and frames that came in between are dropped (gaps in `seq`).

    `node` is N of /dev/videoN or the path of a node or of a link in /dev/v4l/by-id. Size, rate and format are wishes;
    `size_wh`, `fps` and `fourcc` say what the camera agreed to. A camera that is unplugged is waited for, by its by-id
    link if it has one: `read` raises SourceLost meanwhile.
    """

    def __init__(
        self,
        node: int | str | Path = 0,
        size_wh: tuple[int, int] = (640, 480),
        fps: float = 30.0,
        fourcc: str = "MJPG",
        host: Host | None = None,
    ) -> None:
        self._host = host or Host()
        path = self._host.dev / f"video{node}" if isinstance(node, int) else Path(node)
        self._wishes = (size_wh, fps, fourcc)
        known = next((camera for camera in self._host.cameras() if camera.path.resolve() == path.resolve()), None)
        self.name = str(known) if known else str(path)
        self._path = known.by_id if known and known.by_id else path
        capture = self._open()
        self.fps = capture.get(cv2.CAP_PROP_FPS)
        self.fourcc = fourcc_name(capture.get(cv2.CAP_PROP_FOURCC))
        self._grabber = Grabber(self.name, capture, self._reopen, self._host.backoff_s)
        self.size_wh = self._wait_for_first()

    def read(self) -> Frame:
        """Return the newest frame not yet read; raise SourceLost after 1 s without one."""
        shot = self._grabber.take(self._host.read_s)
        return Frame(to_rgb(shot.image), shot.seq, shot.captured_ns, shot.captured_ns)

    def close(self) -> None:
        """Stop the grabber and free the camera, which takes up to 1 s if the camera has stalled."""
        self._grabber.stop()

    def _open(self) -> Capture:
        """Return the camera opened and set up."""
        self._expect_openable()
        capture = self._host.open_capture(str(self._path))
        if not capture.isOpened():
            capture.release()
            raise SourceError(self._why_silent("is not a camera that OpenCV can capture from"))
        set_up(capture, *self._wishes)
        return capture

    def _reopen(self) -> Capture:
        """Called by the grabber's thread while the camera is away."""
        if not self._path.exists():
            raise SourceError("it is unplugged")
        return self._open()

    def _expect_openable(self) -> None:
        """Raise SourceError with the cure if the node itself does not open: OpenCV would not say why."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_NONBLOCK))
        except OSError as error:
            raise SourceError(self._why_closed(error)) from error

    def _why_closed(self, error: OSError) -> str:
        if error.errno == errno.EACCES:
            cure = "run `sudo usermod -aG video $USER` and log in again"
            return f"{self.name} may not be opened: this user is not in group video; {cure}"
        if error.errno == errno.EBUSY:
            return self._why_silent("is busy")
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR):
            here = ", ".join(map(str, self._host.cameras())) or "none"
            return f"no camera at {self._path}; cameras here: {here}; choose one with --source camera:N"
        return f"{self.name} cannot be opened: {error.strerror}; {OTHER}"

    def _why_silent(self, fault: str) -> str:
        """Return who holds the camera, or `fault` where no other process is seen to."""
        own = f"(pid {os.getpid()})"
        holders = [holder for holder in node_holders(self._path, self._host.proc) if not holder.endswith(own)]
        if holders:
            return f"{self.name} is in use by {', '.join(holders)}; close that program or {OTHER}"
        return f"{self.name} {fault}; {OTHER}"

    def _wait_for_first(self) -> tuple[int, int]:
        """Return the true size, from a first frame that is thrown away; raise SourceError if none comes."""
        with ExitStack() as undo:
            undo.callback(self._grabber.stop)
            try:
                height, width = self._grabber.take(self._host.first_frame_s).image.shape[:2]
            except SourceLost as lost:
                raise SourceError(self._why_silent("opened but sent no frame; plug it in again")) from lost
            undo.pop_all()
        return width, height


def set_up(capture: Capture, size_wh: tuple[int, int], fps: float, fourcc: str) -> None:
    """Ask for a format; OpenCV keeps what the camera does where it cannot have its wish. The format comes first: it
    decides which sizes and rates there are.
    """
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, size_wh[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1])
    capture.set(cv2.CAP_PROP_FPS, fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, N_BUFFERS)


def fourcc_name(code: float) -> str:
    """Return OpenCV's number of a pixel format as its four characters, "MJPG"; "" = unknown."""
    return int(code).to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") if code > 0 else ""


def first_working_camera(host: Host | None = None) -> tuple[Camera | None, list[str]]:
    """Return the first camera that sends frames, opened, and one sentence for each that was tried and did not."""
    host = host or Host()
    reasons: list[str] = []
    for node in host.cameras():
        try:
            return Camera(node.number, host=host), reasons
        except SourceError as error:
            reasons.append(str(error))
    return None, reasons or [f"no camera is plugged in: {host.sysfs} lists none"]
