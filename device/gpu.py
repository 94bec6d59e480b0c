# SPDX-License-Identifier: Apache-2.0
"""Backend `gpu`: a .tflite file on LiteRT's WebGPU accelerator, used only where it gives what the CPU gives.

EDGE_GPU=f32|f16 chooses the arithmetic; f32 is the default and enforced. A GPU needs a Vulkan driver.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.backend import Tensors, TensorSpec, check_inputs
from device.errors import BackendError, BackendUnavailable
from device.gpu_process import GpuProcess
from device.tflite import TfliteBackend
from device.vulkan import ADAPTERS

log = logging.getLogger(__name__)

VARIABLE = "EDGE_GPU"
ALLOWED = {"f32": 1e-3, "f16": 2e-2}
"""By arithmetic: the largest difference from the CPU, relative to the largest value of the output, that still counts as
the same network. In f32 those that pass differ by 1e-6, wrong ones by 0.1 and more; fp16 has 11 bits."""
STEPS_ALLOWED = 1
"""The same for an output of whole numbers, in steps of it: both round, in another order of sums."""
LITERT = "device.gpu_worker:LiteRtGpu"


@dataclass(frozen=True)
class Difference:
    """How far the GPU is from the CPU on one input, the worst output: in steps where that holds whole numbers."""

    value: float
    is_steps: bool
    allowed: float

    @property
    def is_small(self) -> bool:
        return self.value <= self.allowed  # a NaN is not

    def __str__(self) -> str:
        return f"{self.value:.0f} steps of 256" if self.is_steps else f"{self.value:.1e} of the largest value"


class GpuBackend:
    """Runs in a process of its own, which is ended where the driver hangs; one thread at a time.

    `difference` is what the probe at opening found.
    """

    name = "gpu"

    def __init__(self, path: Path, sample: Tensors | None = None, driver: str = LITERT) -> None:
        """Open and compare with the CPU on `sample`, inputs as they come in use; without it on `picture`.

        Takes one to a few seconds. Raises BackendUnavailable with the reason or the figure, DeviceTimeout for a driver
        that hangs. `driver` "module:Class" is LiteRT's, or a stand-in for it.
        """
        cpu = TfliteBackend(path)
        self.inputs, self.outputs, self._path = cpu.inputs, cpu.outputs, path
        arithmetic = chosen_arithmetic()
        if driver == LITERT:
            ADAPTERS.first()
        self._process: GpuProcess | None = GpuProcess(path, self.inputs, self.outputs, driver, arithmetic)
        probe = sample or {spec.name: picture(spec) for spec in self.inputs}
        try:
            check_inputs(self.inputs, probe)
            found = self._process.run(probe, is_first=True)
            self.difference = difference(cpu.run(probe), found, self.outputs, ALLOWED[arithmetic])
            if not self.difference.is_small:
                raise BackendUnavailable(
                    f"the GPU's answer for {path.name} is not the CPU's: they differ by {self.difference}, "
                    f"allowed is {self.difference.allowed:g}; update its driver, or use --backend cpu"
                )
        except BaseException:
            self.close()
            raise
        finally:
            cpu.close()
        log.info("%s on the GPU in %s: differs from the CPU by %s", path.name, arithmetic, self.difference)

    def run(self, inputs: Tensors) -> Tensors:
        """Return new arrays by tensor name; raises BackendError for outputs that are no numbers, and see `Backend`."""
        if self._process is None:
            raise BackendError(f"{self._path.name} was closed; open it again to run it")
        check_inputs(self.inputs, inputs)
        outputs = self._process.run(inputs)
        for spec in self.outputs:
            if spec.dtype == "float32" and not np.isfinite(outputs[spec.name]).all():
                raise BackendError(
                    f"the GPU gave NaN or infinity in {spec.name} of {self._path.name}; update its driver, "
                    "or use --backend cpu"
                )
        return outputs

    def close(self) -> None:
        """End the process; may be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


def chosen_arithmetic() -> str:
    """Return f32 or f16; raises BackendUnavailable for another EDGE_GPU."""
    wanted = os.environ.get(VARIABLE, "") or "f32"
    if wanted not in ALLOWED:
        raise BackendUnavailable(f"{VARIABLE}={wanted}: expected {' or '.join(ALLOWED)}; set one of these")
    return wanted


def probe_gpu(wait: bool = True) -> str:
    """Return which GPU runs the networks here, and in which arithmetic; raises BackendUnavailable."""
    arithmetic = {"f32": "f32", "f16": "f16 where it has that"}[chosen_arithmetic()]
    return f"{ADAPTERS.first(wait)}; {arithmetic}"


def difference(expected: Tensors, found: Tensors, outputs: tuple[TensorSpec, ...], allowed: float) -> Difference:
    """Return the worst of all outputs: the one that is farthest beyond what is allowed for it. NaN is the worst."""
    found_differences = [one_difference(expected[spec.name], found[spec.name], spec, allowed) for spec in outputs]
    return max(found_differences, key=lambda each: np.nan_to_num(each.value / each.allowed, nan=np.inf))


def one_difference(expected: NDArray[Any], found: NDArray[Any], spec: TensorSpec, allowed: float) -> Difference:
    want, got = expected.astype(np.float64), found.astype(np.float64)
    farthest = float(np.abs(got - want).max(initial=0))
    if spec.scale > 0:
        return Difference(farthest, True, STEPS_ALLOWED)
    return Difference(farthest / max(float(np.abs(want).max(initial=0)), 1e-9), False, allowed)


def picture(spec: TensorSpec) -> NDArray[Any]:
    """Return an input like a picture: soft waves, an edge and grain, 0..1, or 0..255 where it holds pixels.

    The same at every call.
    """
    where = np.indices(spec.shape, np.float32)
    waves = sum((np.sin(axis * (0.21 + 0.13 * n) + n) for n, axis in enumerate(where)), start=np.zeros(spec.shape))
    grain = np.random.default_rng(0).normal(0, 0.4, spec.shape)
    edge = np.where(
        where[-1 if len(spec.shape) < 3 else -2] > spec.shape[-1 if len(spec.shape) < 3 else -2] / 2, 0.6, 0
    )
    grey = (1 / (1 + np.exp(-(waves / 2 + grain + edge)))).astype(np.float32)
    if spec.scale or spec.dtype == "float32":
        return spec.stored(grey)
    return (grey * min(255, np.iinfo(spec.dtype).max)).astype(spec.dtype)
