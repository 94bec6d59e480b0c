# SPDX-License-Identifier: Apache-2.0
"""The hardware under the driver: the stand-in, and the Verilated accelerator where it is built."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from device.errors import BackendUnavailable
from device.fpga.discover import open_accelerator
from device.fpga.driver import Accelerator
from device.fpga.engine import Patience
from device.fpga.simulator import SIMULATED, Simulator
from device.lowbit.bundle_file import save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.linker import link
from tests.device.fpga.standin import StandIn
from tests.device.lowbit.networks import pyramid, tall

REGS_AT, ARENA_AT, ARENA_BYTES = 0, 0x100000, 0x1000000
QUICK = Patience(reset_s=2.0, job_s=0.3, cycles_per_s=100e6, poll_s=200e-6)
"""For the stand-in, on a busy computer: a hang is seen after 0.3 s; a descriptor takes milliseconds."""
CALM = Patience(reset_s=5.0, job_s=20.0, cycles_per_s=100e6, poll_s=200e-6)
"""Where nothing hangs."""


@dataclass(frozen=True)
class Hardware:
    """A file with an accelerator behind it."""

    device: str
    patience: Patience

    def open(self) -> Accelerator:
        return open_accelerator(self.device, patience=self.patience)


@dataclass(frozen=True)
class Planted:
    """The stand-in, whose faults a test may set."""

    unit: StandIn
    device: str

    def open(self, patience: Patience = CALM) -> Accelerator:
        return open_accelerator(self.device, patience=patience)


@contextmanager
def standing_in(folder: Path) -> Iterator[Planted]:
    path = folder / "board"
    with path.open("wb") as file:
        file.truncate(ARENA_AT + ARENA_BYTES)
    unit = StandIn(path, REGS_AT, ARENA_AT, ARENA_BYTES)
    unit.start()
    try:
        yield Planted(unit, f"file:{path}:{REGS_AT},{ARENA_AT:#x},{ARENA_BYTES}")
    finally:
        unit.close()


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Planted]:
    """The stand-in alone: a test plants faults."""
    with standing_in(tmp_path) as standin:
        yield standin


@pytest.fixture(params=["stand-in", "simulator"])
def accelerator_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hardware]:
    """A file with the stand-in behind it, then one with the Verilated accelerator."""
    with ExitStack() as stack:
        if request.param == "stand-in":
            yield Hardware(stack.enter_context(standing_in(tmp_path)).device, CALM)
            return
        try:
            simulator = Simulator()
        except BackendUnavailable as error:
            pytest.skip(str(error))
        stack.callback(simulator.close)
        yield Hardware(simulator.device, SIMULATED)


@pytest.fixture
def accelerator(planted: Planted) -> Iterator[Accelerator]:
    """The driver over the stand-in."""
    opened = planted.open()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three networks with four slots, a ring of 32."""
    path = tmp_path_factory.mktemp("bundle") / "both.json"
    networks = pyramid(), tall(), replace(pyramid(2), name="second")
    save_bundle(link([compile_network(network) for network in networks], slots=4, ring_log2=5), path)
    return path


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], None]]:
    """Return the call that makes this process an ordinary user until the test ends."""
    user = os.geteuid()

    def drop() -> None:
        if user == 0:
            os.seteuid(65534)

    yield drop
    os.seteuid(user)


def start_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start another process of ours; the test ends it."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
