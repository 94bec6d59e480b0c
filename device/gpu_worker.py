# SPDX-License-Identifier: Apache-2.0
"""The process that the driver of a GPU runs in, and what it shares with the one that waits for it (`gpu_process`).

LiteRT holds Python's lock while it builds and while it runs (measured: a thread beside it stood still for the whole
0.6 s of a run), so no thread could notice a driver that hangs, nor paint. A process can be waited for, and ended.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import math
import mmap
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from device.backend import Tensors, TensorSpec

R = TypeVar("R")

ALIGNMENT = 64
SUICIDE_S = 60.0
"""A step that takes longer ends this process: whoever waited is gone, else it would have been ended long before."""


class Driver(Protocol):
    """Builds a network when it is made and runs it, tensors by name; any exception says why it does not."""

    def run(self, inputs: Tensors) -> Tensors: ...


class LiteRtGpu:
    """LiteRT's CompiledModel on its WebGPU accelerator, the whole network or nothing.

    Graphs split over GPU and CPU are not used: they may be wrong without an error (by 2.0 of the largest value, where
    weights were sparse).
    """

    def __init__(self, path: str, is_f16: bool) -> None:
        from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, Options
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator

        gpu = GpuOptions(enforce_f32=not is_f16)  # without it the accelerator may compute in fp16
        options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=gpu)
        self._model = CompiledModel.from_file(path, options=options)
        if not self._model.is_fully_accelerated():
            raise RuntimeError("not every operator runs on the GPU")
        key, signature = next(iter(self._model.get_signature_list().items()))
        sources, targets = self._model.get_input_tensor_details(key), self._model.get_output_tensor_details(key)
        self._sources = [str(sources[name]["name"]) for name in signature["inputs"]]
        self._targets = [targets[name] for name in signature["outputs"]]
        self._inputs = self._model.create_input_buffers(0)
        self._outputs = self._model.create_output_buffers(0)

    def run(self, inputs: Tensors) -> Tensors:
        for buffer, name in zip(self._inputs, self._sources, strict=True):
            buffer.write(np.ascontiguousarray(inputs[name]))
        self._model.run_by_index(0, self._inputs, self._outputs)
        return {
            str(target["name"]): read(buffer, target)
            for buffer, target in zip(self._outputs, self._targets, strict=True)
        }


def read(buffer: Any, target: dict[str, Any]) -> NDArray[Any]:
    """Return a copy of an output in its own type: int8 stays int8."""
    values: NDArray[Any] = buffer.read(math.prod(target["shape"]), np.dtype(str(target["dtype"])).type)
    return values.reshape(target["shape"])


def n_shared_bytes(specs: tuple[TensorSpec, ...]) -> int:
    return sum(room(spec) for spec in specs)


def room(spec: TensorSpec) -> int:
    """Return the bytes of a tensor, rounded up to the next boundary."""
    return -(-math.prod(spec.shape) * np.dtype(spec.dtype).itemsize // ALIGNMENT) * ALIGNMENT


def shared_tensors(memory: mmap.mmap, specs: tuple[TensorSpec, ...]) -> list[NDArray[Any]]:
    """Return the tensors, one behind the other in the memory that both processes map."""
    found, offset = [], 0
    for spec in specs:
        flat = np.frombuffer(memory, spec.dtype, math.prod(spec.shape), offset)
        found.append(flat.reshape(spec.shape))
        offset += room(spec)
    return found


def serve(control: Connection, memory: mmap.mmap, make: Callable[[], Driver]) -> None:
    """Build, then run once a message, until the other side is gone. An answer is "" or the reason against it."""
    described = json.loads(control.recv_bytes())
    inputs, outputs = (
        tuple(TensorSpec(name, tuple(shape), dtype) for name, shape, dtype in described[side])
        for side in ("inputs", "outputs")
    )
    shared = shared_tensors(memory, (*inputs, *outputs))
    sources = {spec.name: array for spec, array in zip(inputs, shared, strict=False)}
    targets = {spec.name: array for spec, array in zip(outputs, shared[len(inputs) :], strict=True)}
    try:
        driver = bounded(make)
        stop_logging()
        control.send_bytes(b"")
        while True:
            control.recv_bytes()
            found = bounded(lambda: driver.run(sources))
            for name, array in targets.items():
                array[...] = found[name]
            control.send_bytes(b"")
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001  (whatever a driver raises is its reason)
        control.send_bytes(f"{type(error).__name__}: {error}".encode())


def stop_logging() -> None:
    """Drop what the driver says from now on: its log is read only where it does not build, and could fill a disk."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  (a descriptor is wanted, not a path)
        os.dup2(nowhere.fileno(), sys.stderr.fileno())


def bounded(step: Callable[[], R]) -> R:
    """Return what `step` gives; the process ends after SUICIDE_S of it, by a thread without Python's lock."""
    faulthandler.dump_traceback_later(SUICIDE_S, exit=True)
    try:
        return step()
    finally:
        faulthandler.cancel_dump_traceback_later()


def main(control: str, memory: str, driver: str, path: str, arithmetic: str) -> None:
    """`control` and `memory` are open files; `driver` is "module:Class", other than LiteRtGpu only in tests."""
    module, _, name = driver.partition(":")

    def make() -> Driver:
        made: Driver = getattr(importlib.import_module(module), name)(path, arithmetic == "f16")
        return made

    serve(Connection(int(control)), mmap.mmap(int(memory), 0), make)
    os._exit(0)  # a driver may hang in its own clearing up, and there is nothing to save


if __name__ == "__main__":
    main(*sys.argv[1:])
