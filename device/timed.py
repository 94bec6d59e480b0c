# SPDX-License-Identifier: Apache-2.0
"""A backend that remembers how long its last runs took, and passes on what its unit counted."""

from __future__ import annotations

import statistics
import time
from collections import deque

from device.backend import Backend, Counted, Cycles, Tensors

N_RUNS = 4000
"""Runs remembered: two minutes of video with one face."""


class TimedBackend:
    """Forwards to another backend; `ms_p50` may be read from any thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._counted = backend if isinstance(backend, Counted) else None
        self._runs: deque[tuple[int, float]] = deque(maxlen=N_RUNS)  # end (time.perf_counter_ns), ms
        self.name, self.inputs, self.outputs = backend.name, backend.inputs, backend.outputs

    def run(self, inputs: Tensors) -> Tensors:
        start_ns = time.perf_counter_ns()
        outputs = self._backend.run(inputs)
        end_ns = time.perf_counter_ns()
        self._runs.append((end_ns, (end_ns - start_ns) / 1e6))
        self.name = self._backend.name  # another one, where that goes on in the place of a device that failed
        return outputs

    def ms_p50(self, since_ns: int = 0) -> float:
        """Return the median in ms of the remembered runs that ended after `since_ns` (perf_counter), 0 without any."""
        return statistics.median([ms for end_ns, ms in list(self._runs) if end_ns > since_ns] or [0.0])

    def runs(self) -> list[tuple[int, int]]:
        """Return begin and end (time.perf_counter_ns) of the remembered runs, the oldest first."""
        return [(end_ns - round(ms * 1e6), end_ns) for end_ns, ms in list(self._runs)]

    @property
    def last_cycles(self) -> Cycles | None:
        """Return the cycles of the last run, None where the device counts none."""
        return None if self._counted is None else self._counted.last_cycles

    def close(self) -> None:
        self._backend.close()
