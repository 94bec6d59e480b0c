# SPDX-License-Identifier: Apache-2.0
"""One call in a thread of its own, beside what the caller does meanwhile: for two networks and two cores."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Beside(Generic[R]):
    """Runs `call` at once in a thread of its own (0.1 ms), which ends with it; `result` waits for that."""

    def __init__(self, name: str, call: Callable[[], R]) -> None:
        self._call, self._results, self._errors = call, list[R](), list[Exception]()
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._call())
        except Exception as error:  # noqa: BLE001  (it is raised again in the thread that asked)
            self._errors.append(error)

    def result(self, timeout_s: float) -> R:
        """Return what the call returned, raise what it raised; TimeoutError names a thread that hangs."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the {self._thread.name} thread still runs after {timeout_s:g} s")
        if self._errors:
            raise self._errors[0]
        return self._results[0]
