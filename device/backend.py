# SPDX-License-Identifier: Apache-2.0
"""What every machine that runs a compiled network offers: tensors in, tensors out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from device.array import expect_array

Tensors = dict[str, NDArray[Any]]
"""Arrays by tensor name."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output; `real = scale * (stored - zero_point)`, scale 0 means not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    def stored(self, real: NDArray[np.float32]) -> NDArray[Any]:
        """Return reals as the tensor holds them: rounded and clipped where it holds whole numbers."""
        if self.dtype == "float32":
            return real
        limits = np.iinfo(self.dtype)
        whole = np.round(real / (self.scale or 1) + self.zero_point)
        return np.clip(whole, limits.min, limits.max).astype(self.dtype)

    def real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return the reals that values of the tensor stand for."""
        values = stored.astype(np.float32, copy=False)
        return (values - self.zero_point) * np.float32(self.scale) if self.scale else values


class Backend(Protocol):
    """One compiled network on one device.

    `run` blocks, is called by one thread at a time, and raises ValueError for tensors that do not fit `inputs`,
    DeviceTimeout when a device does not answer, BackendError after `close`.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, inputs: Tensors) -> Tensors: ...

    def close(self) -> None:
        """Free the device; may be called twice."""


@dataclass(frozen=True)
class Cycles:
    """What a unit counted in one run, all descriptors together: a time only where a clock of `clock_hz` runs."""

    n: int
    clock_hz: int

    @property
    def ms(self) -> float:
        return 1e3 * self.n / self.clock_hz


@runtime_checkable
class Counted(Protocol):
    """What a backend has besides where its unit counts the cycles of its runs; any thread may ask."""

    @property
    def last_cycles(self) -> Cycles | None:
        """Of the last run, None before the first."""


PARTS = ("first layer", "inner layers", "last layer")
Parts = tuple[tuple[str, int, int], ...]
"""Of one run: name of `PARTS`, begin and end (time.perf_counter_ns)."""


@runtime_checkable
class Parted(Protocol):
    """What a backend has besides where it knows when the parts of its network ran; any thread may ask."""

    @property
    def last_parts(self) -> Parts:
        """Of the last run, empty before the first."""


def check_inputs(specs: tuple[TensorSpec, ...], inputs: Tensors) -> None:
    """Raise ValueError unless `inputs` holds exactly the tensors of `specs`."""
    expected = {spec.name for spec in specs}
    if set(inputs) != expected:
        raise ValueError(f"inputs: expected the tensors {sorted(expected)}, got {sorted(inputs)}")
    for spec in specs:
        expect_array(spec.name, inputs[spec.name], spec.shape, spec.dtype)
