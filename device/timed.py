# SPDX-License-Identifier: Apache-2.0
"""A backend that remembers how long its last runs took, and passes on what its unit counted."""

from __future__ import annotations

import statistics
import time
from collections import deque

from device.backend import Backend, Counted, Cycles, Parted, Parts, Tensors

N_RUNS = 4000
"""Runs remembered: two minutes of video with one face."""


class TimedBackend:
    """Forwards to another backend; `ms_p50` may be read from any thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._counted = backend if isinstance(backend, Counted) else None
        self._parted = backend if isinstance(backend, Parted) else None
        self._runs: deque[tuple[int, float, Parts]] = deque(maxlen=N_RUNS)  # end (time.perf_counter_ns), ms, parts
        self.name, self.inputs, self.outputs = backend.name, backend.inputs, backend.outputs

    def run(self, inputs: Tensors) -> Tensors:
        start_ns = time.perf_counter_ns()
        outputs = self._backend.run(inputs)
        end_ns = time.perf_counter_ns()
        self._runs.append((end_ns, (end_ns - start_ns) / 1e6, () if self._parted is None else self._parted.last_parts))
        self.name = self._backend.name  # another one, where that goes on in the place of a device that failed
        return outputs

    def ms_p50(self, since_ns: int = 0) -> float:
        """Return the median in ms of the remembered runs that ended after `since_ns` (perf_counter), 0 without any."""
        return statistics.median([ms for end_ns, ms, _ in list(self._runs) if end_ns > since_ns] or [0.0])

    def runs(self, name: str) -> list[tuple[int, int, str]]:
        """Return begin, end (time.perf_counter_ns) and `name` of the remembered runs, the oldest first.

        A run whose parts are known stands as these, by their own names.
        """
        found = []
        for end_ns, ms, parts in list(self._runs):
            found += [(begin, end, part) for part, begin, end in parts] or [(end_ns - round(ms * 1e6), end_ns, name)]
        return found

    @property
    def last_cycles(self) -> Cycles | None:
        """Return the cycles of the last run, None where the device counts none."""
        return None if self._counted is None else self._counted.last_cycles

    def close(self) -> None:
        self._backend.close()
