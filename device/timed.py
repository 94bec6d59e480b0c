# SPDX-License-Identifier: Apache-2.0
"""A backend that remembers how long its last runs took."""

from __future__ import annotations

import statistics
import time
from collections import deque

from device.backend import Backend, Tensors

N_RUNS = 1000
"""Runs remembered: half a minute of video."""


class TimedBackend:
    """Forwards to another backend; `ms_p50` may be read from any thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._ms: deque[float] = deque(maxlen=N_RUNS)
        self.name, self.inputs, self.outputs = backend.name, backend.inputs, backend.outputs

    def run(self, inputs: Tensors) -> Tensors:
        start_ns = time.perf_counter_ns()
        outputs = self._backend.run(inputs)
        self._ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        return outputs

    def ms_p50(self) -> float:
        """Return the median of the remembered runs in ms, 0 before the first."""
        return statistics.median(list(self._ms) or [0.0])

    def close(self) -> None:
        self._backend.close()
