# SPDX-License-Identifier: Apache-2.0
"""Backend `cpu`: a .tflite file in LiteRT's interpreter (XNNPACK), one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from device.backend import Tensors, TensorSpec, check_inputs
from device.errors import BackendError, BackendUnavailable


class TfliteBackend:
    """Runs in the thread of the caller; two threads gain only on an idle machine, so one is the default."""

    name = "cpu"

    def __init__(self, path: Path, n_threads: int = 1) -> None:
        """Raises BackendUnavailable when `path` is not a model this run-time can execute."""
        try:
            self._interpreter: Any = Interpreter(model_path=str(path), num_threads=n_threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BackendUnavailable(f"{path} is not a model that LiteRT can run on the CPU ({reason})") from error
        self._path = path
        self._input_index, self.inputs = specs(self._interpreter.get_input_details())
        self._output_index, self.outputs = specs(self._interpreter.get_output_details())

    def run(self, inputs: Tensors) -> Tensors:
        """Return copies of the outputs by tensor name."""
        if self._interpreter is None:
            raise BackendError(f"{self._path.name} was closed; open it again to run it")
        check_inputs(self.inputs, inputs)
        for name, index in self._input_index.items():
            self._interpreter.set_tensor(index, inputs[name])
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._output_index.items()}

    def close(self) -> None:
        self._interpreter = None


def specs(details: list[dict[str, Any]]) -> tuple[dict[str, int], tuple[TensorSpec, ...]]:
    """Return {tensor name: index} and the specs, in the order of the file."""
    found = []
    for detail in details:
        scale, zero_point = detail["quantization"]
        shape = tuple(int(n) for n in detail["shape"])
        found.append(TensorSpec(detail["name"], shape, np.dtype(detail["dtype"]).name, float(scale), int(zero_point)))
    return {detail["name"]: int(detail["index"]) for detail in details}, tuple(found)
