# SPDX-License-Identifier: Apache-2.0
"""The simulation as a process: it comes up, ends with its owner, leaves no file, and says why when it dies early.

The stand-in plays the Verilated program, so that this needs no Verilator.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from device.errors import BackendError, BackendUnavailable
from device.fpga import fpga_backend as module
from device.fpga import simulator
from device.fpga.fpga_backend import SimulatedBackend, probe_simulation
from device.fpga.shared import SharedAccelerators
from device.fpga.simulator import Simulator, open_simulated
from device.lowbit.cpu import LowbitBackend
from tests.device.fpga.conftest import start_python
from tests.device.fpga.standin import as_program
from tests.device.fpga.test_driver import run_one
from tests.device.fpga.test_fpga_backend import check_same, random_tensors


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where simulations of this test keep their files."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(simulator, "shared_memory", lambda: place)
    return place


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Make a shell script the simulated accelerator."""
    path = tmp_path / "accel_sim"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("EDGE_FPGA_SIM", str(path))
    return path


@pytest.fixture
def played(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = as_program(tmp_path)
    monkeypatch.setenv("EDGE_FPGA_SIM", str(path))
    return path


def test_a_simulation_runs_networks_and_leaves_nothing(played: Path, folder: Path, bundle_path: Path) -> None:
    assert probe_simulation() == "simulated accelerator, Verilated"
    accelerator = open_simulated()
    assert not list(folder.iterdir())  # hidden at once: a process that is killed leaves no file
    run_one(accelerator, accelerator.load(bundle_path)["pyramid"], 1)
    accelerator.close()
    accelerator.close()


def test_a_simulation_that_dies_is_told_and_started_again(
    played: Path, folder: Path, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerators, started = SharedAccelerators(), list[Simulator]()

    class Watched(Simulator):
        def __init__(self) -> None:
            super().__init__()
            started.append(self)

    monkeypatch.setattr(simulator, "Simulator", Watched)
    monkeypatch.setattr(module, "ACCELERATORS", accelerators)
    backend, other = SimulatedBackend(bundle_path, "pyramid"), LowbitBackend(bundle_path, "pyramid")
    check_same(backend, other, 1)
    process = started[0]._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    tensors = random_tensors(backend, 2)
    timer = threading.Timer(0.3, process.kill)
    timer.start()
    with pytest.raises(
        BackendError, match=r"program pyramid: the simulated accelerator ended early with exit code -9 \(stand-in: up\)"
    ):
        backend.run(tensors)
    timer.join()
    check_same(backend, other, 2)
    assert len(started) == 2
    backend.close()


def test_closing_ends_the_process_also_one_that_does_not_listen(
    played: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_deaf in (False, True):
        monkeypatch.setattr(simulator, "END_S", 0.2 if is_deaf else 20)
        running = Simulator()
        process = running._process
        assert process is not None
        if is_deaf:
            process.send_signal(signal.SIGSTOP)
        running.close()
        running.close()
        assert process.returncode == (-signal.SIGKILL if is_deaf else 0)
        assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2; echo 'no such option: --arena' >&2; exit 3", r"exit code 3 \(no such option: --arena\)"),
        ("exit 0", r"ended early with exit code 0 \(it said nothing\)"),
        ("kill -11 $$", r"exit code -11 "),
    ],
)
def test_a_program_that_ends_at_once_is_told_with_its_last_line(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    program(tmp_path, monkeypatch, script)
    with pytest.raises(BackendUnavailable, match=message):
        open_simulated()
    assert not list(folder.iterdir())


def test_a_program_that_never_comes_up_is_ended(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(simulator, "START_S", 0.2)
    monkeypatch.setattr(simulator, "END_S", 0.1)
    with pytest.raises(BackendUnavailable, match="did not come up in 0 s"):
        open_simulated()
    assert not list(folder.iterdir())


def test_what_is_no_program_is_refused(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, monkeypatch, "")
    path.write_bytes(b"\x7fELF but not really")
    with pytest.raises(BackendUnavailable, match=r"accel_sim cannot be started \(Exec format error\)"):
        open_simulated()
    path.chmod(0o644)
    if not os.access(path, os.X_OK):
        with pytest.raises(BackendUnavailable, match="build it with `make fpga-sim`"):
            open_simulated()
    assert not list(folder.iterdir())


OWNER = """
import sys, time
from device.fpga.simulator import Simulator
running = Simulator()
print(running._process.pid, running._folder, flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_a_simulation_ends_with_its_owner(played: Path, end: str) -> None:
    owner = start_python(OWNER, "wait" if end == "kill" else "leave")
    assert owner.stdout is not None
    pid, _, place = owner.stdout.readline().strip().partition(" ")
    if end == "kill":
        owner.kill()
    owner.communicate(timeout=20)
    limit = time.monotonic() + 10
    while is_running(int(pid)) and time.monotonic() < limit:
        time.sleep(0.02)
    assert not is_running(int(pid))
    if end == "exit":
        assert not Path(place).exists()
    else:  # killed before anybody had opened it: `open_simulated` hides the files
        for file in Path(place).iterdir():
            file.unlink()
        Path(place).rmdir()


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
