# SPDX-License-Identifier: Apache-2.0
"""Whoever waits for the driver of a GPU: starts its process, bounds every wait, ends it, says in words what failed."""

from __future__ import annotations

import json
import mmap
import os
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from device.backend import Tensors, TensorSpec
from device.errors import BackendError, BackendUnavailable, DeviceTimeout
from device.gpu_worker import n_shared_bytes, shared_tensors

ROOT = Path(__file__).resolve().parents[1]
OPEN_LIMIT_S = 30.0
"""Start of a process (0.5 s), building (0.4 to 5 s), and the first run."""
RUN_LIMIT_S = 1.5
"""Below the 2 s that a pipeline waits for its threads at the end."""
END_LIMIT_S = 1.0
COUNTS = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations will run on the CPU")
UNSUPPORTED = "Following operations are not supported by GPU delegate:"
NO_ADAPTER = ("No adapters found", "Failed to initialize WebGPU environment")


class GpuProcess:
    """One network in a process of its own. One thread at a time; `close` may be called twice."""

    def __init__(
        self, path: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], driver: str, arithmetic: str
    ) -> None:
        """Build the network; raises BackendUnavailable with the reason, DeviceTimeout after OPEN_LIMIT_S."""
        self._name, self._inputs, self._outputs = path.name, inputs, outputs
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        memory_fd = os.memfd_create("gpu-tensors")
        os.ftruncate(memory_fd, n_shared_bytes((*inputs, *outputs)))
        self._shared = shared_tensors(mmap.mmap(memory_fd, 0), (*inputs, *outputs))
        self._control: Connection
        self._control, theirs = Pipe()
        arguments = [str(theirs.fileno()), str(memory_fd), driver, str(path.resolve()), arithmetic]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "device.gpu_worker", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                pass_fds=(theirs.fileno(), memory_fd),
                start_new_session=True,  # Ctrl-C is for the program, which ends this process itself
            )
        except OSError as error:
            raise BackendUnavailable(f"the process for the GPU cannot be started ({error.strerror})") from error
        finally:
            theirs.close()
            os.close(memory_fd)
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        described = {
            side: [(spec.name, spec.shape, spec.dtype) for spec in specs]
            for side, specs in (("inputs", self._inputs), ("outputs", self._outputs))
        }
        try:
            answer = self._ask(json.dumps(described).encode(), OPEN_LIMIT_S, "building")
        except DeviceTimeout:
            raise
        except BackendError as error:
            raise BackendUnavailable(str(error)) from error
        if answer:
            raise BackendUnavailable(refusal(self._name, self._logged(), answer))

    def run(self, inputs: Tensors, is_first: bool = False) -> Tensors:
        """Return copies of the outputs; raises DeviceTimeout after RUN_LIMIT_S, BackendError where the driver fails.

        The first run has OPEN_LIMIT_S: some drivers build only then.
        """
        for spec, array in zip(self._inputs, self._shared, strict=False):
            array[...] = inputs[spec.name]
        answer = self._ask(b"run", OPEN_LIMIT_S if is_first else RUN_LIMIT_S, "running")
        if answer:
            self.close()
            raise BackendError(f"the GPU driver failed in running {self._name} ({one_line(answer)}); use --backend cpu")
        outputs: list[NDArray[Any]] = self._shared[len(self._inputs) :]
        return {spec.name: array.copy() for spec, array in zip(self._outputs, outputs, strict=True)}

    def _ask(self, message: bytes, limit_s: float, doing: str) -> str:
        """Return the answer to a message; the process is ended where none comes."""
        try:
            self._control.send_bytes(message)
            if self._control.poll(limit_s):
                return self._control.recv_bytes().decode(errors="replace")
        except (EOFError, OSError):  # OSError: closed, or broken
            code = self._end()
            died = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
            raise BackendError(
                f"the GPU driver ended its process {died} in {doing} {self._name}; update it, or use --backend cpu"
            ) from None
        self.close()
        raise DeviceTimeout(
            f"the GPU driver hangs: {limit_s:g} s passed in {doing} {self._name}; update it, or use --backend cpu"
        )

    def _logged(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _end(self) -> int | None:
        """End the process; return its exit status, None where it cannot be ended within END_LIMIT_S."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(0.05)  # it may have ended by itself, with a status of its own
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it hangs inside the kernel, where no signal reaches it
            return self._process.wait(END_LIMIT_S)
        return None

    def close(self) -> None:
        """End the process and free the memory; may be called twice."""
        self._control.close()
        self._end()
        self._log.close()


def refusal(name: str, log: str, answer: str) -> str:
    """Return why a network is not built, in one sentence made of the driver's own words.

    What it says of the operators is only in its log.
    """
    if any(words in log for words in NO_ADAPTER):
        return "backend gpu finds no GPU that LiteRT can use (its WebGPU: no adapter); use --backend auto"
    counts = COUNTS.search(log)
    if counts is None:
        return f"the GPU driver refuses {name} ({one_line(answer)}); use --backend cpu"
    listed = log.partition(UNSUPPORTED)[2].partition(counts[0])[0]
    operators = "; ".join(line.strip().rstrip(".: ") for line in listed.splitlines() if line.strip())
    n_gpu, n_cpu = int(counts[1]), int(counts[2])
    return (
        f"the GPU runs {n_gpu} of the {n_gpu + n_cpu} operators of {name}, and a network in two parts is not trusted "
        f"(not on the GPU: {operators}); use --backend cpu"
    )


def one_line(text: str) -> str:
    """Return the first lines of a message as one, short enough to be read."""
    return re.sub(r"\s+", " ", text).strip()[:200]
