# SPDX-License-Identifier: Apache-2.0
"""A file written frame by frame in a thread of its own, behind a bounded queue."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
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


def open_output(name: str, path: Path, flags: int = os.O_TRUNC) -> BinaryIO:
    """Open `path` for writing, making its folder; raises OutputError, also for a pipe that nobody reads."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        # O_NONBLOCK is for the opening alone: without it that of a pipe waits for a reader for ever.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | flags, 0o666)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "wb")
    except OSError as error:
        reason = "no program reads this pipe" if error.errno == errno.ENXIO else error.strerror
        raise OutputError(f"{name}: cannot write {path}: {reason}; choose another place") from error


def expect_writable(name: str, path: Path) -> None:
    """Raise OutputError unless a file can be written at `path`; what is there stays as it is."""
    is_new = not os.path.lexists(path)
    if is_new or path.is_file() or path.is_dir():  # opening and closing a pipe would tell its reader that all is over
        open_output(name, path, flags=0).close()
    if is_new:
        path.unlink()


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
        self.path, self.n_written, self._n_whole_bytes = path, 0, 0
        self._encoder, self._on_error = encoder, on_error
        self._queue: Mailbox[FrameResult[Any]] = InOrder(capacity) if is_lossless else Bounded(capacity)
        self._file = open_output(name, path)
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
            with self._file:
                self._encoder.finish(self._file)
        except OSError as error:
            log.error("%s could not be finalised (%s); it is whole up to its last frame", self.path, error.strerror)

    def _write_one(self) -> None:
        self._encoder.add(self._file, self._queue.get())
        self._file.flush()
        self.n_written += 1
        if self._file.seekable():  # a pipe is not
            self._n_whole_bytes = self._file.tell()

    def _report(self, name: str, error: Exception) -> None:
        self._queue.close()
        if isinstance(error, OSError):
            self._keep_whole_frames()
            error = OutputError(
                f"{self.path} ends after {self.n_written} frames: {error.strerror}; what was written is kept, "
                "free some space or choose another place"
            )
        self._on_error(name, error)

    def _keep_whole_frames(self) -> None:
        """Close the file and cut off what a failed write left of its frame."""
        try:
            with suppress(OSError):  # closing tries the failed write once more
                self._file.close()
            if self.path.is_file():
                os.truncate(self.path, self._n_whole_bytes)
        except OSError as error:
            log.error("%s may end in a part of a frame (%s)", self.path, error.strerror)
