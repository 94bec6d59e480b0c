# SPDX-License-Identifier: Apache-2.0
"""A file written frame by frame in a thread of its own, behind a bounded queue."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from app.frame import FrameResult
from app.runtime.latest import Bounded, Closed, InOrder, Mailbox
from app.runtime.worker import OnError, Worker
from device.errors import AppError

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0


class OutputError(AppError):
    """A file that cannot be written."""


class Encoder(Protocol):
    """Turns results into bytes; after every `add` what was written so far is a whole, readable file."""

    def add(self, file: BinaryIO, result: FrameResult[Any]) -> None: ...

    def finish(self, file: BinaryIO) -> None: ...


class QueuedFile:
    """Encodes and writes in its own thread; `write` never waits unless `is_lossless`.

    `dropped` counts frames that found no place in the queue. A disk that fills up ends the file with one report to
    `on_error`, in one sentence; what is on disk stays readable.
    """

    def __init__(
        self, name: str, path: Path, encoder: Encoder, capacity: int, is_lossless: bool, on_error: OnError
    ) -> None:
        """Raises OutputError when `path` cannot be written."""
        self.path, self.n_written = path, 0
        self._encoder, self._on_error = encoder, on_error
        self._queue: Mailbox[FrameResult[Any]] = InOrder(capacity) if is_lossless else Bounded(capacity)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w+b")
        except OSError as error:
            raise OutputError(f"{name}: cannot write {path}: {error.strerror}; choose another place") from error
        self._worker = Worker(name, self._write_one, self._report)
        self._worker.start()

    @property
    def dropped(self) -> int:
        return self._queue.dropped

    def write(self, result: FrameResult[Any]) -> None:
        """Queue one frame (inference thread); after a failure or close it is left out."""
        try:
            self._queue.put(result)
        except Closed:
            log.debug("frame %d came after the end of %s", result.frame.seq, self.path)

    def close(self) -> None:
        """Write what is queued and finalise the file; may be called twice. Raises OutputError when the thread hangs."""
        self._queue.finish()
        try:
            self._worker.join(CLOSE_TIMEOUT_S)
        except TimeoutError as error:
            raise OutputError(f"{self.path} was not finished within {CLOSE_TIMEOUT_S:.0f} s; it ends early") from error
        if self._file.closed:
            return
        try:
            self._encoder.finish(self._file)
            self._file.close()
        except OSError as error:
            log.error("%s could not be finalised (%s); it is whole up to its last frame", self.path, error.strerror)

    def _write_one(self) -> None:
        self._encoder.add(self._file, self._queue.get())
        self._file.flush()
        self.n_written += 1

    def _report(self, name: str, error: Exception) -> None:
        self._queue.close()
        if isinstance(error, OSError):
            error = OutputError(
                f"{self.path} ends after {self.n_written} frames: {error.strerror}; what was written is kept, "
                "free some space or choose another place"
            )
        self._on_error(name, error)
