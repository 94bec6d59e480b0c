# SPDX-License-Identifier: Apache-2.0
"""Backends by name. A named backend is opened or refused with a reason, never replaced by another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from device.backend import Backend, Tensors
from device.errors import BackendUnavailable
from device.fpga.fpga_backend import (
    SIMULATION,
    FpgaBackend,
    SimulatedBackend,
    is_fpga_simulated,
    probe_fpga,
    probe_simulation,
)
from device.gpu import GpuBackend, probe_gpu
from device.lowbit.cpu import LowbitBackend
from device.lowbit.machine import SHARED, open_machine
from device.tflite import TfliteBackend
from device.vulkan import ADAPTERS

OF_BUNDLES: dict[str, Callable[[Path, str | None], Backend]] = {
    "lowbit": LowbitBackend,
    "fpga": FpgaBackend,
    SIMULATION: SimulatedBackend,
}
"""Those whose files may hold several networks, each a program with a name."""
BACKENDS: tuple[str, ...] = ("cpu", "gpu", *OF_BUNDLES)
RUNS_ON: dict[str, Callable[[bool], str]] = {
    "cpu": lambda wait: "LiteRT",
    "gpu": probe_gpu,
    "lowbit": lambda wait: open_machine(wait=wait).name,
    "fpga": probe_fpga,
    SIMULATION: probe_simulation,
}


def open_backend(
    name: str, path: Path, program: str | None = None, sample: Callable[[], Tensors] | None = None
) -> Backend:
    """Open the network file `path` on backend `name`; raises BackendUnavailable with the reason in words.

    `program` names one of the networks in a bundle (`models.convert.bundle`); all of one accelerator share it.
    `sample` makes an input as it comes in use, for a backend that is compared with the CPU before it is used.
    """
    check_name(name)
    if name in OF_BUNDLES:
        return OF_BUNDLES[name](path, program)
    if program is not None:
        raise BackendUnavailable(f"{path} holds one network for backend {name}; open it without a program's name")
    if name == "gpu":
        return GpuBackend(path, None if sample is None else sample())
    return TfliteBackend(path)


def is_simulated(name: str) -> bool:
    """Tell whether backend `name` stands for no hardware here: nothing for an automatic choice."""
    return name == SIMULATION or (name == "fpga" and is_fpga_simulated())


def prepare_backends() -> None:
    """Begin what takes a while once, the kernels of `lowbit` and the search for a GPU, in threads of their own."""
    SHARED.prepare()
    ADAPTERS.prepare()


def probe_backend(name: str, wait: bool = True) -> str:
    """Return what runs the networks of backend `name` here ("AVX-512 kernels"); raises BackendUnavailable.

    May take a second or two once on a computer. Without `wait` that is a reason too while another thread is at it.
    """
    check_name(name)
    return RUNS_ON[name](wait)


def check_name(name: str) -> None:
    if name not in BACKENDS:
        raise BackendUnavailable(f"backend {name} is not part of this version; available: {', '.join(BACKENDS)}")
