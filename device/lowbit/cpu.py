# SPDX-License-Identifier: Apache-2.0
"""Backend `lowbit`: one program of a bundle on this CPU, one thread, in an arena of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.backend import PARTS, Parts, Tensors, TensorSpec, check_inputs
from device.errors import BackendError, BackendUnavailable
from device.lowbit.bundle_file import load_bundle
from device.lowbit.descriptor import ErrorCode
from device.lowbit.emulator import Arena
from device.lowbit.layout import LANES, unpack_codes, up4
from device.lowbit.machine import Machine, open_machine
from device.lowbit.program import Bundle, BundleError, Port, Program


class LowbitBackend:
    """Inputs are uint8 values below 4**digits, (C, H, W). Raw outputs come as float32 reals, others as uint8 codes.

    The steps have the names of the accelerator's driver; its two copies are not needed where the arena is host memory.
    """

    name = "lowbit"

    def __init__(self, path: Path, program: str | None = None, machine: Machine | None = None) -> None:
        """`program` may be left out where the bundle has one; `machine` None is what EDGE_LOWBIT names.

        Raises BackendUnavailable with the reason.
        """
        machine, bundle = machine or open_machine(), open_bundle(path)
        chosen = choose_program(path, bundle, program)
        self._place, arena = f"{path.name}: program {chosen.name}", bundle.new_arena()
        self.inputs = tuple(TensorSpec(port.name, port.shape, "uint8") for port in chosen.inputs)
        self.outputs = tuple(
            TensorSpec(port.name, port.shape, "float32" if port.raw else "uint8") for port in chosen.outputs
        )
        self._pack = {p.name: machine.packer(p.shape, p.digits, stored(arena, p), p.copies) for p in chosen.inputs}
        words = bundle.words(chosen)
        self._execute: list[tuple[str, Callable[[], ErrorCode]]] | None = [
            (name, machine.runner(arena, words[rows])) for name, rows in parts_of(chosen)
        ]
        self.last_parts: Parts = ()
        self._unpack = {port.name: reader(stored(arena, port), port) for port in chosen.outputs}

    def run(self, inputs: Tensors) -> Tensors:
        """Return new arrays by tensor name; raises ValueError for values of 4**digits and above."""
        check_inputs(self.inputs, inputs)
        self.pack_input(inputs)
        self.execute()
        return self.unpack_output()

    def pack_input(self, inputs: Tensors) -> None:
        for name, pack in self._pack.items():
            pack(inputs[name])

    def execute(self) -> None:
        if self._execute is None:
            raise BackendError(f"{self._place} was closed; open it again to run it")
        done = []
        begin_ns = time.perf_counter_ns()
        for name, execute in self._execute:
            code = execute()
            end_ns = time.perf_counter_ns()
            if code != ErrorCode.OK:
                raise BackendError(f"{self._place} stopped with {code.name}")
            done.append((name, begin_ns, end_ns))
            begin_ns = end_ns
        self.last_parts = tuple(done)

    def unpack_output(self) -> Tensors:
        return {name: unpack() for name, unpack in self._unpack.items()}

    def close(self) -> None:
        """Free the arena; may be called twice."""
        self._execute = None
        self._pack.clear()
        self._unpack.clear()


def parts_of(program: Program) -> list[tuple[str, slice]]:
    """Return the descriptors that read the input, those between, and those that write the output.

    All are "inner layers" where these do not follow one another.
    """
    n_first = 1 + max((index for port in program.inputs for index, _ in port.uses), default=-1)
    last = min((index for port in program.outputs for index, _ in port.uses), default=0)
    if not 0 < n_first < last < program.n_descriptors:
        return [(PARTS[1], slice(None))]
    return list(zip(PARTS, (slice(n_first), slice(n_first, last), slice(last, None)), strict=True))


def stored(arena: Arena, port: Port) -> Arena:
    """Return the bytes of a port's first slot, not copied."""
    return arena[port.offset : port.offset + port.n_bytes]


def reader(octets: Arena, port: Port) -> Callable[[], NDArray[Any]]:
    """Return the call that reads an output from its bytes: codes as they are, raw sums as reals."""
    channels, height, width = port.shape
    if not port.raw:
        words = octets.view("<u8").reshape(-1, 1, height, up4(width))
        return lambda: unpack_codes(words, width)[:channels]
    scale, bias = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (port.scale, port.bias))
    blocks = octets.view("<i4").reshape(-1, height, up4(width), LANES)[:, :, :width]
    lanes = blocks.transpose(0, 3, 1, 2)

    def read_reals() -> NDArray[np.float32]:
        acc = lanes.reshape(-1, height, width)[:channels]
        reals: NDArray[np.float32] = scale * acc.astype(np.float32) + bias
        return reals

    return read_reals


def open_bundle(path: Path) -> Bundle:
    try:
        return load_bundle(path)
    except BundleError as error:
        reason = str(error).removeprefix(str(path)).lstrip(": ")
        raise BackendUnavailable(f"{path} is not a model that backend lowbit can run ({reason})") from error


def choose_program(path: Path, bundle: Bundle, name: str | None) -> Program:
    """Return the program `name`, or the only one."""
    known = ", ".join(bundle.programs) or "none"
    if name is None and len(bundle.programs) == 1:
        return next(iter(bundle.programs.values()))
    if name is None:
        raise BackendUnavailable(f"{path} holds the programs {known}: expected one, or the name of one")
    if name not in bundle.programs:
        raise BackendUnavailable(f"{path} holds no program {name}; it has {known}")
    return bundle.programs[name]
