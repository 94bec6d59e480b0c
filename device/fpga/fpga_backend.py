# SPDX-License-Identifier: Apache-2.0
"""Backends `fpga` and `fpga-sim`: one program of a bundle on the accelerator, on a board or simulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from device.backend import Cycles, Tensors, TensorSpec, check_inputs
from device.errors import BackendError, BackendUnavailable
from device.fpga.discover import chosen_device, describe_accelerator, open_accelerator
from device.fpga.driver import Accelerator
from device.fpga.shared import ACCELERATORS
from device.fpga.simulator import SHOWN, open_simulated, simulator_path
from device.lowbit.bundle_file import load_bundle
from device.lowbit.cpu import choose_program, reader
from device.lowbit.linker import unlink
from device.lowbit.machine import open_machine
from device.lowbit.program import Bundle, BundleError, Program

SIMULATION = "fpga-sim"


class FpgaBackend:
    """Tensors as those of backend `lowbit`; `cycles` are the ones the unit counted in the last run, by descriptor.

    All backends of one device share it, whatever thread they run in; each is used by one thread at a time.
    """

    name = "fpga"

    def __init__(self, path: Path, program: str | None = None, device: str | None = None, priority: int = 0) -> None:
        """`program` may be left out where the bundle has one; `device` None is what EDGE_FPGA names, else "auto".

        Raises BackendUnavailable with the reason.
        """
        wanted = device or self.default_device()
        if is_simulation(wanted):
            self.name = SIMULATION  # the word FPGA alone never stands for a simulation
        bundle = open_bundle(path, self.name)
        chosen = choose_program(path, bundle, program)
        self._place, self._priority = f"{path.name}: program {chosen.name}", priority
        self.inputs = tuple(TensorSpec(port.name, port.shape, "uint8") for port in chosen.inputs)
        self.outputs = tuple(
            TensorSpec(port.name, port.shape, "float32" if port.raw else "uint8") for port in chosen.outputs
        )
        self.cycles: list[int] = []
        self.last_cycles: Cycles | None = None
        self._staged = {port.name: np.zeros(port.n_bytes, np.uint8) for port in chosen.ports}
        packer = open_machine().packer
        self._pack = {p.name: packer(p.shape, p.digits, self._staged[p.name], p.copies) for p in chosen.inputs}
        self._unpack = {port.name: reader(self._staged[port.name], port) for port in chosen.outputs}
        self._shared = ACCELERATORS.get(wanted, opener(wanted))
        self._key: str | None = self._shared.add(unlink(bundle, chosen.name))

    @staticmethod
    def default_device() -> str:
        return chosen_device()

    @property
    def clock_hz(self) -> int:
        """The clock that the unit was built for: cycles / clock_hz is a time only where that clock runs."""
        return self._shared.clock_hz

    def run(self, inputs: Tensors) -> Tensors:
        """Return new arrays by tensor name; raises DeviceTimeout when the unit does not answer twice."""
        check_inputs(self.inputs, inputs)
        if self._key is None:
            raise BackendError(f"{self._place} was closed; open it again to run it")
        self.pack_input(inputs)
        try:
            with self._shared.session(self._key) as (accelerator, program):
                self.copy_input_to_device(accelerator, program)
                self.execute(accelerator, program)
                self.copy_output_from_device(accelerator, program)
        except BackendError as error:
            raise type(error)(f"{self._place}: {error}") from error
        return self.unpack_output()

    def pack_input(self, inputs: Tensors) -> None:
        """Raises ValueError for values of 4**digits and above."""
        for name, pack in self._pack.items():
            pack(inputs[name])

    def copy_input_to_device(self, accelerator: Accelerator, program: Program) -> None:
        for port in program.inputs:
            accelerator.write(port.offset, self._staged[port.name])

    def execute(self, accelerator: Accelerator, program: Program) -> None:
        job = accelerator.submit(program, priority=self._priority)
        accelerator.wait(job)
        self.cycles = job.cycles
        self.last_cycles = Cycles(sum(job.cycles), accelerator.clock_hz)

    def copy_output_from_device(self, accelerator: Accelerator, program: Program) -> None:
        for port in program.outputs:
            accelerator.read(port.offset, self._staged[port.name])

    def unpack_output(self) -> Tensors:
        return {name: unpack() for name, unpack in self._unpack.items()}

    def close(self) -> None:
        """Leave the device, which is closed with its last backend; may be called twice."""
        key, self._key = self._key, None
        if key is not None:
            self._shared.remove(key)


class SimulatedBackend(FpgaBackend):
    """The same over the Verilated accelerator, which runs as a process of its own."""

    name = SIMULATION

    @staticmethod
    def default_device() -> str:
        return SIMULATION


def is_simulation(device: str) -> bool:
    """Tell whether no hardware stands behind `device`."""
    return device == SIMULATION or device.startswith("file:")


def opener(device: str) -> Callable[[], Accelerator]:
    """Return the call that opens `device`."""
    return open_simulated if device == SIMULATION else lambda: open_accelerator(device)


def open_bundle(path: Path, backend: str) -> Bundle:
    try:
        return load_bundle(path)
    except BundleError as error:
        reason = str(error).removeprefix(str(path)).lstrip(": ")
        raise BackendUnavailable(f"{path} is not a model that backend {backend} can run ({reason})") from error


def probe_fpga(wait: bool = True) -> str:
    """Return what would be opened, without touching it; raises BackendUnavailable with every reason."""
    return describe_accelerator(chosen_device())


def is_fpga_simulated() -> bool:
    """Tell whether EDGE_FPGA has put a simulation in the place of the board."""
    return is_simulation(chosen_device())


def probe_simulation(wait: bool = True) -> str:
    simulator_path()
    return SHOWN
