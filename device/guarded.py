# SPDX-License-Identifier: Apache-2.0
"""A backend whose device may fail in the middle of a run: another goes on in its place, and whoever listens is told."""

from __future__ import annotations

from collections.abc import Callable

from device.backend import Backend, Tensors
from device.errors import BackendError


class GuardedBackend:
    """Forwards to a backend, and from its first BackendError on to another one; `name` is that of the one in use."""

    def __init__(self, backend: Backend, open_other: Callable[[], Backend], on_demoted: Callable[[str], None]) -> None:
        """`open_other` opens the same network elsewhere, `on_demoted` gets the reason; both in the thread that runs."""
        self._backend, self._open_other, self._on_demoted = backend, open_other, on_demoted
        self._is_demoted = self._is_closed = False
        self.name, self.inputs, self.outputs = backend.name, backend.inputs, backend.outputs

    def run(self, inputs: Tensors) -> Tensors:
        """Return the outputs, of the other backend where the first fails; raises what that one raises."""
        try:
            return self._backend.run(inputs)
        except BackendError as error:
            if self._is_demoted or self._is_closed:
                raise
            self._backend.close()
            self._backend = self._open_other()
            self._is_demoted, self.name = True, self._backend.name
            self._on_demoted(str(error))
            return self._backend.run(inputs)

    def close(self) -> None:
        self._is_closed = True
        self._backend.close()
