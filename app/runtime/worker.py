# SPDX-License-Identifier: Apache-2.0
"""A named thread that repeats one step until told to stop, and reports its one failure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.runtime.latest import Closed

log = logging.getLogger(__name__)

OnError = Callable[[str, Exception], None]
"""Called once, in the failed thread, with the thread's name and the error."""


def ignore_end() -> None:
    """Nobody waits for this worker's end."""


class Worker:
    """Run `step` again and again in a thread called `name`.

    `step` ends the worker quietly by raising Closed; any other exception is given to `on_error` once.
    `on_end` is called last in the thread, however it ended.
    """

    def __init__(
        self, name: str, step: Callable[[], None], on_error: OnError, on_end: Callable[[], None] = ignore_end
    ) -> None:
        self._step, self._on_error, self._on_end = step, on_error, on_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end after its present step; returns at once."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread; raises TimeoutError with its name. A worker that was never started has ended."""
        if self._thread.ident is None:
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"thread {self._thread.name!r} did not stop within {timeout_s} s")

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
        except Closed:
            log.debug("%s ended", self._thread.name)
        except Exception as error:
            log.debug("%s failed", self._thread.name, exc_info=error)
            self._on_error(self._thread.name, error)
        finally:
            self._on_end()
