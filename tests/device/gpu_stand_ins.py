# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for LiteRT's GPU, imported by the process of a driver: true ones, wrong ones, and all the ways to fail."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from device.backend import Tensors
from device.tflite import TfliteBackend


class Faithful:
    """Gives what the CPU gives."""

    def __init__(self, path: str, is_f16: bool) -> None:
        self._cpu = TfliteBackend(Path(path))
        self.n_runs = 0

    def run(self, inputs: Tensors) -> Tensors:
        self.n_runs += 1
        return self.changed(self._cpu.run(inputs))

    def changed(self, outputs: Tensors) -> Tensors:
        return outputs


class Slightly(Faithful):
    """Off by one step of whole numbers, or by 1e-4."""

    def changed(self, outputs: Tensors) -> Tensors:
        return {
            name: np.where(a > 0, a - 1, a + 1) if a.dtype == np.int8 else a * 1.0001 for name, a in outputs.items()
        }


class Wrong(Faithful):
    """Off by two steps of whole numbers, or by 1e-2."""

    def changed(self, outputs: Tensors) -> Tensors:
        return {name: np.where(a > 0, a - 2, a + 2) if a.dtype == np.int8 else a * 1.01 for name, a in outputs.items()}


class NanAtOnce(Faithful):
    def changed(self, outputs: Tensors) -> Tensors:
        return {name: a * np.nan for name, a in outputs.items()}


class LaterNan(Faithful):
    """Numbers in the first two runs, the probe and one more."""

    def changed(self, outputs: Tensors) -> Tensors:
        return {name: a / (self.n_runs < 3) for name, a in outputs.items()} if self.n_runs > 2 else outputs


class LaterHang(Faithful):
    def changed(self, outputs: Tensors) -> Tensors:
        if self.n_runs > 2:
            hang()
        return outputs


class LaterCrash(Faithful):
    def changed(self, outputs: Tensors) -> Tensors:
        if self.n_runs > 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        return outputs


class LaterFailure(Faithful):
    def changed(self, outputs: Tensors) -> Tensors:
        if self.n_runs > 2:
            raise RuntimeError("device lost")
        return outputs


class HangsBuilding(Faithful):
    def __init__(self, path: str, is_f16: bool) -> None:
        hang()


class Refuses(Faithful):
    def __init__(self, path: str, is_f16: bool) -> None:
        raise RuntimeError("ERROR: [somewhere.h:1961]\n└ out of memory")


class RefusesOperators(Faithful):
    """Says it as LiteRT does: the reason is in the log only."""

    def __init__(self, path: str, is_f16: bool) -> None:
        print("ERROR: Following operations are not supported by GPU delegate:", file=sys.stderr)
        print("GATHER_ND: Operation is not supported.", file=sys.stderr)
        print(
            "181 operations will run on the GPU, and the remaining 33 operations will run on the CPU.",
            file=sys.stderr,
            flush=True,
        )
        raise RuntimeError("Some ops are not accelerated.")


class DiesBuilding(Faithful):
    def __init__(self, path: str, is_f16: bool) -> None:
        os._exit(3)


class OnlyF16(Faithful):
    """Refuses f32: shows that the arithmetic asked for arrives."""

    def __init__(self, path: str, is_f16: bool) -> None:
        if not is_f16:
            raise RuntimeError("f16 only")
        super().__init__(path, is_f16)

    def changed(self, outputs: Tensors) -> Tensors:
        return {name: a * np.float32(1.01) for name, a in outputs.items()}


def hang() -> None:
    """As a driver does that never comes back: no signal but SIGKILL ends it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)
