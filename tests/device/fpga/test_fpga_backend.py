# SPDX-License-Identifier: Apache-2.0
"""Backends `fpga` and `fpga-sim`: the tensors of `lowbit`, several networks on one accelerator, lost devices."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from device.backend import Tensors
from device.errors import BackendError, BackendUnavailable, DeviceTimeout
from device.fpga import fpga_backend as module
from device.fpga.discover import open_accelerator
from device.fpga.driver import Accelerator
from device.fpga.fpga_backend import FpgaBackend, SimulatedBackend, probe_fpga, probe_simulation
from device.fpga.shared import SharedAccelerator, SharedAccelerators
from device.lowbit.bundle_file import save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.cpu import LowbitBackend
from device.lowbit.linker import link
from device.lowbit.network import InputTensor, Network
from models.card import load_card
from tests.device.fpga.conftest import CALM, QUICK, Hardware, Planted, standing_in
from tests.device.lowbit.networks import codes, pyramid


def random_tensors(backend: FpgaBackend | LowbitBackend, seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    return {spec.name: rng.integers(0, 256, spec.shape).astype(np.uint8) for spec in backend.inputs}


def check_same(backend: FpgaBackend, other: LowbitBackend, seed: int) -> None:
    """Assert that both give the same bits, and that the specs agree."""
    tensors = random_tensors(other, seed)
    found, expected = backend.run(tensors), other.run(tensors)
    assert (backend.inputs, backend.outputs) == (other.inputs, other.outputs)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> SharedAccelerators:
    """The accelerators of one test."""
    accelerators = SharedAccelerators()
    monkeypatch.setattr(module, "ACCELERATORS", accelerators)
    return accelerators


Opened = tuple[str, SharedAccelerator]


@pytest.fixture
def board(accelerator_file: Hardware, registered: SharedAccelerators) -> Opened:
    """The device, opened with the patience that its hardware needs."""
    return accelerator_file.device, registered.get(accelerator_file.device, accelerator_file.open)


def test_the_committed_expression_network_gives_the_same_scores(board: Opened) -> None:
    path = load_card("expression_w1a2").verified_path()
    backend, other = FpgaBackend(path, device=board[0]), LowbitBackend(path)
    assert backend.name == "fpga-sim"
    for seed in range(2):
        check_same(backend, other, seed)
        assert len(backend.cycles) == 11
        assert 30_000 < sum(backend.cycles) < 300_000
    assert backend.clock_hz > 0
    backend.close()


def test_two_networks_take_turns_on_one_accelerator(board: Opened, bundle_path: Path, tmp_path: Path) -> None:
    """The second comes from a file of its own: both are linked into one arena."""
    device, shared = board
    save_bundle(link([compile_network(pyramid(9))], slots=2), tmp_path / "single.json")
    first = FpgaBackend(bundle_path, "pyramid", device=device)
    second = FpgaBackend(tmp_path / "single.json", device=device, priority=1)
    others = LowbitBackend(bundle_path, "pyramid"), LowbitBackend(tmp_path / "single.json")
    for seed in range(3):
        check_same(first, others[0], seed)
        check_same(second, others[1], seed)
    first.close()
    first.close()
    assert shared.is_open
    check_same(second, others[1], 7)
    second.close()
    assert not shared.is_open
    tensors = random_tensors(others[0], 1)
    with pytest.raises(BackendError, match=r"both\.json: program pyramid was closed; open it again to run it"):
        first.run(tensors)


def test_backends_in_threads_share_the_device_while_others_come_and_go(board: Opened, bundle_path: Path) -> None:
    device, _ = board
    failures: list[Exception] = []

    def work(program: str, seed: int) -> None:
        try:
            backend, other = FpgaBackend(bundle_path, program, device), LowbitBackend(bundle_path, program)
            for step in range(2):
                check_same(backend, other, 10 * seed + step)
            backend.close()
        except (AssertionError, BackendError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=("pyramid", seed)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)


def test_wrong_tensors_are_refused(board: Opened, bundle_path: Path) -> None:
    device, _ = board
    backend = FpgaBackend(bundle_path, "pyramid", device)
    with pytest.raises(ValueError, match=r"image: expected \(3, 12, 20\) uint8, got \(3, 12, 19\)"):
        backend.run({"image": np.zeros((3, 12, 19), np.uint8)})
    with pytest.raises(ValueError, match="inputs: expected the tensors"):
        backend.run({})
    backend.close()


@pytest.fixture
def impatient(planted: Planted, registered: SharedAccelerators) -> Planted:
    """The stand-in, opened with little patience."""
    registered.get(planted.device, lambda: planted.open(QUICK))
    return planted


def test_a_unit_that_hangs_twice_is_a_timeout_and_the_next_run_works(impatient: Planted, bundle_path: Path) -> None:
    backend = FpgaBackend(bundle_path, "pyramid", impatient.device)
    impatient.unit.faults.hangs = 2
    tensors = random_tensors(backend, 1)
    with pytest.raises(DeviceTimeout, match=r"^both\.json: program pyramid: record 1 of program pyramid, .* STATUS=0x"):
        backend.run(tensors)
    check_same(backend, LowbitBackend(bundle_path, "pyramid"), 2)
    backend.close()


def test_what_has_no_room_is_refused_and_the_others_stay(impatient: Planted, bundle_path: Path, tmp_path: Path) -> None:
    backend = FpgaBackend(bundle_path, "pyramid", impatient.device)
    rng = np.random.default_rng(0)
    tensors = tuple(InputTensor(f"x{i}", (32, 512, 512)) for i in range(3))
    layers = tuple(codes(rng, f"l{i}", (f"x{i}",), (32, 1)) for i in range(3))
    large = Network("large", tensors, layers, tuple(layer.name for layer in layers))
    save_bundle(link([compile_network(large)], ring_log2=10), tmp_path / "large.json")
    with pytest.raises(
        BackendUnavailable,
        match=r"pyramid, large need \d+ bytes of the accelerator's memory, it has 16777216; close one of them",
    ):
        FpgaBackend(tmp_path / "large.json", device=impatient.device)
    check_same(backend, LowbitBackend(bundle_path, "pyramid"), 3)
    backend.close()
    with pytest.raises(BackendUnavailable, match="large need"):
        FpgaBackend(tmp_path / "large.json", device=impatient.device)
    impatient.open().close()  # the failure let the device go


def test_two_networks_of_one_name_are_told_apart(impatient: Planted, bundle_path: Path, tmp_path: Path) -> None:
    save_bundle(link([compile_network(pyramid(5))]), tmp_path / "other.json")
    paths = (bundle_path, tmp_path / "other.json", bundle_path)
    backends = [FpgaBackend(path, "pyramid", impatient.device) for path in paths]
    for backend, path in zip(backends, paths, strict=True):
        check_same(backend, LowbitBackend(path, "pyramid"), 4)
    for backend in backends:
        backend.close()


def test_a_lost_device_is_opened_again(
    tmp_path: Path, bundle_path: Path, registered: SharedAccelerators, caplog: pytest.LogCaptureFixture
) -> None:
    """As when the process of a simulation was killed: the run fails, or the next one finds it gone."""
    state = {"is_gone": False, "n_opened": 0}

    def check_alive() -> None:
        if state["is_gone"]:
            raise BackendError("the device is gone")

    with standing_in(tmp_path) as planted:

        def open_device() -> Accelerator:
            state.update(is_gone=False, n_opened=state["n_opened"] + 1)
            return open_accelerator(planted.device, patience=CALM, check_alive=check_alive)

        registered.get("lost", open_device)
        backend, other = FpgaBackend(bundle_path, "pyramid", "lost"), LowbitBackend(bundle_path, "pyramid")
        check_same(backend, other, 1)
        state["is_gone"] = True
        check_same(backend, other, 2)
        assert state["n_opened"] == 2
        assert "the device is gone; it is opened again" in caplog.text
        planted.unit.faults.hangs = 1
        timer = threading.Timer(0.2, lambda: state.update(is_gone=True))
        timer.start()
        tensors = random_tensors(backend, 3)
        with pytest.raises(BackendError, match=r"both\.json: program pyramid: the device is gone"):
            backend.run(tensors)
        timer.join()
        check_same(backend, other, 4)
        assert state["n_opened"] == 3
        backend.close()


def test_a_device_that_cannot_be_had_again_says_why_until_it_can(
    planted: Planted, bundle_path: Path, registered: SharedAccelerators
) -> None:
    shared = registered.get(planted.device, lambda: planted.open(CALM))
    backend = FpgaBackend(bundle_path, "pyramid", planted.device)
    shared._close()
    thief = planted.open()
    tensors = random_tensors(backend, 1)
    with pytest.raises(BackendUnavailable, match=r"both\.json: program pyramid: the accelerator is in use by pid"):
        backend.run(tensors)
    thief.close()
    check_same(backend, LowbitBackend(bundle_path, "pyramid"), 1)
    backend.close()


@pytest.fixture(params=[FpgaBackend, SimulatedBackend])
def kind(request: pytest.FixtureRequest) -> type[FpgaBackend]:
    chosen: type[FpgaBackend] = request.param
    return chosen


def test_a_file_that_is_no_model_is_told_before_the_device_is_looked_for(
    kind: type[FpgaBackend], tmp_path: Path
) -> None:
    (tmp_path / "broken").write_bytes(b"no network")
    for path in (tmp_path / "broken", tmp_path / "nowhere", tmp_path):
        with pytest.raises(BackendUnavailable, match=rf"^{path} is not a model that backend {kind.name} can run \("):
            kind(path)


def test_programs_are_chosen_as_in_lowbit(kind: type[FpgaBackend], bundle_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="holds the programs pyramid, tall, second: expected one"):
        kind(bundle_path)
    with pytest.raises(BackendUnavailable, match="holds no program flow; it has pyramid, tall, second"):
        kind(bundle_path, "flow")


def test_without_a_device_the_reasons_are_told(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FPGA", "file:/nowhere/board")
    assert probe_fpga() == "registers /nowhere/board, 32 MiB of /nowhere/board"
    with pytest.raises(BackendUnavailable, match=r"^no /nowhere/board \(No such file"):
        FpgaBackend(bundle_path, "pyramid")
    monkeypatch.setenv("EDGE_FPGA", "usb")
    with pytest.raises(BackendUnavailable, match=r"accelerator 'usb': expected auto, uio"):
        probe_fpga()
    monkeypatch.setenv("EDGE_FPGA_SIM", "/nowhere/accel_sim")
    for call in (probe_simulation, lambda: SimulatedBackend(bundle_path, "pyramid")):
        with pytest.raises(
            BackendUnavailable, match="no simulated accelerator at /nowhere/accel_sim; build it with `make fpga-sim`"
        ):
            call()


def test_all_networks_of_a_bundle_fit_together(impatient: Planted, bundle_path: Path) -> None:
    names = ("pyramid", "tall", "second")
    backends = [FpgaBackend(bundle_path, name, impatient.device) for name in names]
    for backend, name in zip(backends, names, strict=True):
        check_same(backend, LowbitBackend(bundle_path, name), 1)
    for backend in backends:
        backend.close()
