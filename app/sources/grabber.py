# SPDX-License-Identifier: Apache-2.0
"""The thread that keeps a camera's newest frame, and gets the camera back when it is lost.

It exists because nothing else bounds a read: OpenCV's V4L2 backend has no CAP_PROP_READ_TIMEOUT_MSEC; its wait is
whole seconds (OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT, 10 by default), and starting a USB stream can take seconds more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
from numpy.typing import NDArray

from app.sources.source import SourceError, SourceLost

BACKOFF_S = (0.5, 5.0)
# A grab that fails at once is a device that is gone; one that waited is a stall, or a camera slow to start, which
# opening anew would only interrupt: it is given STALL_S from its last frame, or from its opening.
GONE_S = 0.2
STALL_S = 4.0
# A webcam may send a few broken JPEGs after its start; more in a row are a fault.
MAX_BROKEN = 10
JOIN_S = 2.0


class Capture(Protocol):
    """What of cv2.VideoCapture is used, so that tests can stand in for a camera."""

    def isOpened(self) -> bool: ...  # noqa: N802  (OpenCV's name)
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, NDArray[Any]]: ...
    def get(self, propId: int) -> float: ...  # noqa: N803  (OpenCV's name)
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803  (OpenCV's name)
    def release(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture as OpenCV gives it."""

    image: NDArray[Any]  # BGR uint8
    seq: int
    captured_ns: int


class Grabber:
    """Reads `capture` without pause; when it fails, calls `reopen` with growing pauses until it succeeds.

    `reopen` returns a capture set up like the first, or raises SourceError. The thread owns the capture and frees it.
    """

    def __init__(
        self, name: str, capture: Capture, reopen: Callable[[], Capture], backoff_s: tuple[float, float] = BACKOFF_S
    ) -> None:
        self._name = name
        self._reopen = reopen
        self._backoff_s = backoff_s
        self._delay_s = backoff_s[0]
        self._changed = threading.Condition()
        self._newest: Shot | None = None
        self._lost: str | None = None  # why, in words; None = connected
        self._is_told = False  # whether `take` has raised since the camera was lost
        self._next_try_s = 0.0  # time.monotonic()
        self._seq = -1
        self._n_broken = 0
        self._heard_s = time.monotonic()  # of the last frame, or the opening
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(capture,), name=f"grab {name}")
        self._thread.start()

    def take(self, timeout_s: float) -> Shot:
        """Return the newest frame not yet taken, waiting at most `timeout_s`; raise SourceLost if there is none."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while self._newest is None:
                left_s = deadline_s - time.monotonic()
                if not self._thread.is_alive():
                    raise SourceError(f"{self._name} is closed; open it anew to read it again")
                if left_s <= 0 or (self._lost is not None and not self._is_told):
                    self._is_told = self._lost is not None
                    raise SourceLost(self._trouble(timeout_s))
                self._changed.wait(left_s)
            shot, self._newest = self._newest, None
            return shot

    def stop(self) -> None:
        """End the thread and free the camera; may be called twice."""
        self._stopping.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            raise SourceError(f"thread {self._thread.name!r} did not end within {JOIN_S:g} s: the driver holds it")
        with self._changed:
            self._newest = None

    def _trouble(self, timeout_s: float) -> str:
        if self._lost is None:
            return f"{self._name} has sent no frame for {timeout_s:g} s; waiting for it"
        left_s = max(0.0, self._next_try_s - time.monotonic())
        return f"{self._name} was lost: {self._lost}; waiting for it, next try in {left_s:.1f} s"

    def _run(self, first: Capture) -> None:
        capture: Capture | None = first
        try:
            while not self._stopping.is_set():
                if capture is None:
                    capture = self._try_again()
                elif (fault := self._grab(capture)) is not None:
                    capture.release()
                    capture = None
                    self._tell_lost(fault)
        finally:
            if capture is not None:
                capture.release()
            with self._changed:
                self._changed.notify_all()

    def _grab(self, capture: Capture) -> str | None:
        """Store the next frame; return None, or what is wrong with the camera."""
        began_s = time.monotonic()
        try:
            if not capture.grab():
                return self._silence(began_s)
            captured_ns = time.monotonic_ns()
            self._seq += 1
            is_whole, image = capture.retrieve()
        except cv2.error as error:
            return f"OpenCV says {error.err}"
        if not is_whole:
            self._n_broken += 1
            return f"{self._n_broken} broken frames in a row" if self._n_broken >= MAX_BROKEN else None
        self._n_broken = 0
        self._heard_s = time.monotonic()
        self._delay_s = self._backoff_s[0]
        with self._changed:
            self._newest = Shot(image, self._seq, captured_ns)
            self._lost, self._is_told = None, False
            self._changed.notify_all()
        return None

    def _silence(self, began_s: float) -> str | None:
        """Return what a failed grab that began at `began_s` means; None = not yet a fault."""
        now_s = time.monotonic()
        if now_s - began_s < GONE_S:
            return "it was unplugged"
        return f"it has sent nothing for {STALL_S:g} s" if now_s - self._heard_s > STALL_S else None

    def _try_again(self) -> Capture | None:
        """Wait, then open the camera anew; return None if that failed or the thread is to end."""
        if self._stopping.wait(self._next_try_s - time.monotonic()):
            return None
        self._n_broken = 0
        try:
            capture = self._reopen()
        except SourceError as error:
            self._tell_lost(str(error))
            return None
        self._heard_s = time.monotonic()
        return capture

    def _tell_lost(self, fault: str) -> None:
        with self._changed:
            self._next_try_s = time.monotonic() + self._delay_s
            self._delay_s = min(2 * self._delay_s, self._backoff_s[1])
            self._lost = fault
            self._changed.notify_all()
