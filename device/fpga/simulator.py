# SPDX-License-Identifier: Apache-2.0
"""The simulated accelerator: a process of its own behind a private file that stands for the board's memory.

The driver is the same as on a board. Nothing here is a measurement: cycles are the unit's, times are this computer's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from device.errors import BackendError, BackendUnavailable
from device.fpga import regs
from device.fpga.discover import ARENA_AT, ARENA_BYTES, REGISTERS_AT, open_accelerator
from device.fpga.driver import Accelerator
from device.fpga.engine import Patience
from device.fpga.mmio import Window

VARIABLE = "EDGE_FPGA_SIM"
PROGRAM = Path(__file__).parents[2] / "build/fpga-sim/accel_sim"
STOP_AT, STOP = 0xFFC, 0xDEAD
"""The word of the register page that ends the process."""
START_S, END_S = 30.0, 5.0
SIMULATED = Patience(reset_s=10.0, job_s=20.0, cycles_per_s=20e3, poll_s=500e-6)
"""A simulated clock runs at some hundred kHz on an idle computer, and at a tenth of that on a busy one."""
SHOWN = "simulated accelerator, Verilated"


def simulator_path() -> Path:
    """Return the program that EDGE_FPGA_SIM names, or the one of this checkout; raises BackendUnavailable."""
    path = Path(os.environ.get(VARIABLE, "") or PROGRAM)
    if not path.is_file() or not os.access(path, os.X_OK):
        raise BackendUnavailable(f"no simulated accelerator at {path}; build it with `make fpga-sim`")
    return path


class Simulator:
    """A running simulation; `device` is for `open_accelerator`. Ends at `close`, at exit, and with its parent."""

    def __init__(self, arena_bytes: int = ARENA_BYTES, options: tuple[str, ...] = ()) -> None:
        """Raises BackendUnavailable when the program is missing or does not come up."""
        program = simulator_path()
        self._folder = Path(tempfile.mkdtemp(prefix="fpga-sim-", dir=shared_memory()))
        self.path, self._complaints = self._folder / "memory", (self._folder / "stderr").open("w+b")
        self.device = f"file:{self.path}:{REGISTERS_AT:#x},{ARENA_AT:#x},{arena_bytes:#x}"
        self._process: subprocess.Popen[bytes] | None = None
        self._page: Window | None = None
        atexit.register(self.close)
        try:
            with self.path.open("wb") as file:
                file.truncate(REGISTERS_AT + regs.PAGE_BYTES)  # sparse: only what is touched takes memory
            self._page = Window(self.path, REGISTERS_AT, regs.PAGE_BYTES)
            places = [f"{place:#x}" for place in (REGISTERS_AT, ARENA_AT, arena_bytes)]
            command = [str(program), str(self.path), *places, *options]
            # A session of its own: Ctrl-C is for the program, which then ends the simulation in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                start_new_session=True,
            )
            self._wait_until_up(self._page)
        except OSError as error:
            self.close()
            raise BackendUnavailable(f"{program} cannot be started ({error.strerror or error})") from error
        except BaseException:
            self.close()
            raise

    def _wait_until_up(self, page: Window) -> None:
        end = time.monotonic() + START_S
        while page.read(regs.ID) == 0:
            try:
                self.check_alive()
            except BackendError as error:
                raise BackendUnavailable(str(error)) from error
            if time.monotonic() > end:
                raise BackendUnavailable(f"the simulated accelerator did not come up in {START_S:.0f} s")
            time.sleep(1e-3)

    def check_alive(self) -> None:
        """Raise BackendError with the last line of complaint when the process is gone."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            raise BackendError(f"the simulated accelerator ended early with exit code {code} ({self._last_line()})")

    def _last_line(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def hide(self) -> None:
        """Remove the files once everybody has them open: a process that is killed leaves nothing behind."""
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def close(self) -> None:
        """End the process, by force when it does not listen, and remove its files; may be called twice."""
        atexit.unregister(self.close)
        process, self._process = self._process, None
        if process is not None:
            if self._page is not None:
                self._page.write(STOP_AT, STOP)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._page is not None:
            self._page.close()
            self._page = None
        self._complaints.close()
        self.hide()


def shared_memory() -> Path | None:
    """Return the folder for files that are memory, None for the usual one of temporary files."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else None


def open_simulated() -> Accelerator:
    """Start a simulation and open it with the driver of the board; closing the accelerator ends it."""
    simulator = Simulator()
    try:
        accelerator = open_accelerator(simulator.device, patience=SIMULATED, check_alive=simulator.check_alive)
    except BaseException:
        simulator.close()
        raise
    simulator.hide()
    accelerator.at_close(simulator.close)
    return accelerator
