# SPDX-License-Identifier: Apache-2.0
"""Networks through ring and records, bit for bit those of the emulator; order, limits and refusals of the driver."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import BackendError, DeviceTimeout
from device.fpga import regs
from device.fpga.driver import Accelerator
from device.fpga.engine import RING_JOBS
from device.fpga.jobs import QUEUE_JOBS, Job
from device.lowbit.bundle_file import load_bundle, save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.cycles import descriptor_cycles
from device.lowbit.descriptor import Descriptor
from device.lowbit.layout import pack_codes
from device.lowbit.linker import link
from device.lowbit.network import Network
from device.lowbit.program import BundleError, Port, Program
from tests.device.fpga.conftest import Hardware, Planted
from tests.device.lowbit.networks import Values, evaluate, pyramid, random_inputs, read_output, tall

NETWORKS = {network.name: network for network in (pyramid(), tall(), replace(pyramid(2), name="second"))}


def put_inputs(accelerator: Accelerator, program: Program, inputs: dict[str, Values], slot: int = 0) -> None:
    for port in program.inputs:
        octets = pack_codes(inputs[port.name], port.digits).view(np.uint8).reshape(-1)
        accelerator.write(port.offset + slot * port.slot_pitch, octets)


def read_port(accelerator: Accelerator, port: Port, slot: int = 0) -> np.ndarray:
    target = np.zeros(port.n_bytes, np.uint8)
    accelerator.read(port.offset + slot * port.slot_pitch, target)
    return read_output(target, replace(port, offset=0))


def check_outputs(
    accelerator: Accelerator, program: Program, network: Network, inputs: dict[str, Values], slot: int = 0
) -> None:
    expected = evaluate(network, inputs)
    for port in program.outputs:
        assert np.array_equal(read_port(accelerator, port, slot), expected[port.name]), port.name


def run_one(accelerator: Accelerator, program: Program, seed: int, slot: int = 0) -> Job:
    network = NETWORKS[program.name]
    inputs = random_inputs(network, seed)
    put_inputs(accelerator, program, inputs, slot)
    job = accelerator.submit(program, slot)
    accelerator.wait(job)
    check_outputs(accelerator, program, network, inputs, slot)
    return job


def test_two_networks_are_loaded_once_and_used_alternately(accelerator_file: Hardware, bundle_path: Path) -> None:
    accelerator = accelerator_file.open()
    programs = accelerator.load(bundle_path)
    for seed, name in enumerate(("pyramid", "tall", "pyramid")):
        job = run_one(accelerator, programs[name], seed, slot=seed)
        assert len(job.cycles) == programs[name].n_descriptors
        assert all(count > 0 for count in job.cycles)
    accelerator.close()
    accelerator.close()


def test_cycles_are_those_of_each_descriptor(accelerator: Accelerator, bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    programs = accelerator.load(bundle_path)
    job = run_one(accelerator, programs["pyramid"], 1)
    words = bundle.words(bundle.programs["pyramid"])
    assert job.cycles == [round(descriptor_cycles(Descriptor.decode(row))) for row in words]


def test_several_slots_are_queued_back_to_back(accelerator_file: Hardware, bundle_path: Path) -> None:
    accelerator = accelerator_file.open()
    program = accelerator.load(bundle_path)["pyramid"]
    inputs = [random_inputs(NETWORKS["pyramid"], seed) for seed in range(4)]
    for slot, image in enumerate(inputs):
        put_inputs(accelerator, program, image, slot)
    jobs = [accelerator.submit(program, slot) for slot in range(4)]
    for slot in (3, 0, 2, 1):
        accelerator.wait(jobs[slot])
        check_outputs(accelerator, program, NETWORKS["pyramid"], inputs[slot], slot)
    accelerator.close()


def test_urgent_jobs_enter_the_ring_first(planted: Planted, bundle_path: Path) -> None:
    accelerator = planted.open()
    programs = accelerator.load(bundle_path)
    planted.unit.faults.descriptor_s = 2e-3
    slow = [accelerator.submit(programs["pyramid"]) for _ in range(RING_JOBS + 4)]
    quick = [accelerator.submit(programs["second"], priority=1) for _ in range(3)]
    for job in slow + quick:
        accelerator.wait(job)
    order = list(dict.fromkeys(planted.unit.jobs))
    expected = [*slow[:RING_JOBS], *quick, *slow[RING_JOBS:]]
    assert order == [job.number for job in expected]
    accelerator.close()


def test_the_ring_fills_and_goes_round_without_overrun(planted: Planted, bundle_path: Path) -> None:
    accelerator = planted.open()
    program = accelerator.load(bundle_path)["pyramid"]
    for _ in range(2):
        jobs = [accelerator.submit(program) for _ in range(12)]
        for job in reversed(jobs):
            accelerator.wait(job)
    assert planted.unit.most_outstanding <= 32
    deadline_s = time.monotonic() + 5.0  # the unit moves HEAD after the record that ends the wait
    while planted.unit.get(regs.HEAD) != 24 * program.n_descriptors and time.monotonic() < deadline_s:
        time.sleep(0.001)
    assert planted.unit.get(regs.HEAD) == 24 * program.n_descriptors
    accelerator.close()


def test_a_program_as_long_as_the_ring_runs(accelerator: Accelerator, tmp_path: Path) -> None:
    network = compile_network(tall())
    log2 = (len(network.descriptors) - 1).bit_length()
    save_bundle(link([network], ring_log2=log2), tmp_path / "tall.json")
    program = accelerator.load(tmp_path / "tall.json")["tall"]
    jobs = [accelerator.submit(program) for _ in range(2)]
    for job in jobs:
        accelerator.wait(job)
    run_one(accelerator, program, 3)


def test_a_full_queue_says_so_and_goes_on(planted: Planted, bundle_path: Path) -> None:
    accelerator = planted.open()
    program = accelerator.load(bundle_path)["pyramid"]
    planted.unit.faults.descriptor_s = 0.05
    while not accelerator._engine.is_full:
        accelerator.submit(program)
    assert QUEUE_JOBS < accelerator._engine.n_unfinished <= QUEUE_JOBS + RING_JOBS
    with pytest.raises(BackendError, match=r"\d+ jobs wait for the accelerator already; wait for one of them first"):
        accelerator.submit(program)
    planted.unit.faults.descriptor_s = 0
    accelerator.close()


def test_threads_share_the_accelerator(accelerator: Accelerator, bundle_path: Path) -> None:
    programs = accelerator.load(bundle_path)
    failures: list[Exception] = []

    def work(name: str, slot: int) -> None:
        try:
            for seed in range(2):
                run_one(accelerator, programs[name], seed, slot)
        except (AssertionError, BackendError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name, slot)) for slot, name in enumerate((*NETWORKS, "pyramid"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)


def test_a_wait_with_a_limit_leaves_the_job_alone(planted: Planted, bundle_path: Path) -> None:
    accelerator = planted.open()
    program = accelerator.load(bundle_path)["pyramid"]
    planted.unit.faults.descriptor_s = 0.05
    job = accelerator.submit(program, slot=2)
    with pytest.raises(DeviceTimeout, match=r"program pyramid, slot 2, layer \d: 20 ms passed, STATUS=0x.* HEAD="):
        accelerator.wait(job, timeout_s=0.02)
    accelerator.wait(job)
    assert len(job.cycles) == program.n_descriptors
    accelerator.close()


def test_reset_in_flight_runs_the_jobs_again(accelerator_file: Hardware, bundle_path: Path) -> None:
    accelerator = accelerator_file.open()
    programs = accelerator.load(bundle_path)
    inputs = random_inputs(NETWORKS["pyramid"], 4)
    put_inputs(accelerator, programs["pyramid"], inputs)
    jobs = [accelerator.submit(programs["pyramid"]) for _ in range(6)]
    for delay_s in (0.0, 0.004, 0.02):
        time.sleep(delay_s)
        accelerator.reset()
    for job in jobs:
        accelerator.wait(job)
    check_outputs(accelerator, programs["pyramid"], NETWORKS["pyramid"], inputs)
    accelerator.close()


def test_closing_in_flight_fails_the_jobs_and_the_next_opener_works(
    accelerator_file: Hardware, bundle_path: Path
) -> None:
    accelerator = accelerator_file.open()
    programs = accelerator.load(bundle_path)
    job = accelerator.submit(programs["tall"])
    accelerator.close()
    with pytest.raises(BackendError, match="was closed before this job was done"):
        accelerator.wait(job)
    for call in (lambda: accelerator.submit(programs["tall"]), accelerator.reset, accelerator.dump):
        with pytest.raises(BackendError, match="the accelerator was closed; open it again"):
            call()
    again = accelerator_file.open()
    run_one(again, again.load(bundle_path)["pyramid"], 5)
    again.close()


def test_bad_bundles_are_refused_and_the_loaded_one_stays(
    accelerator: Accelerator, bundle_path: Path, tmp_path: Path
) -> None:
    program = accelerator.load(bundle_path)["pyramid"]
    bad = tmp_path / "bad.json"
    bad.write_text(bundle_path.read_text("utf-8"), "utf-8")
    image = bytearray(bundle_path.with_suffix(".bin").read_bytes())
    image[-1] ^= 1
    (tmp_path / "both.bin").write_bytes(image)
    with pytest.raises(BundleError, match=r"bad\.json: bundle check 1: expected an image with sha256"):
        accelerator.load(bad)
    with pytest.raises(BundleError, match=r"nowhere\.json cannot be read"):
        accelerator.load(tmp_path / "nowhere.json")
    large = replace(load_bundle(bundle_path), arena_bytes=accelerator.arena_bytes + 4096)
    with pytest.raises(BundleError, match=r"bundle check 2: arena_bytes \d+ is above the \d+ bytes of the device"):
        accelerator.install(large)
    run_one(accelerator, program, 6)


def test_programs_of_an_older_bundle_are_refused(accelerator: Accelerator, bundle_path: Path) -> None:
    old = accelerator.load(bundle_path)["pyramid"]
    accelerator.load(bundle_path)
    with pytest.raises(BackendError, match="program pyramid is not loaded; use the programs that the last load gave"):
        accelerator.submit(old)
    with pytest.raises(ValueError, match=r"expected slot 0\.\.3, got 4"):
        accelerator.submit(accelerator.load(bundle_path)["tall"], slot=4)


def test_nothing_is_loaded_under_a_running_job(planted: Planted, bundle_path: Path) -> None:
    accelerator = planted.open()
    program = accelerator.load(bundle_path)["pyramid"]
    planted.unit.faults.descriptor_s = 0.01
    job = accelerator.submit(program)
    with pytest.raises(BackendError, match="1 jobs are not done; wait for them before another bundle is loaded"):
        accelerator.load(bundle_path)
    accelerator.wait(job)
    accelerator.load(bundle_path)
    accelerator.close()


def test_memory_that_does_not_hold_the_image_is_found(
    accelerator: Accelerator, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, whole = accelerator.load(bundle_path)["pyramid"], accelerator._arena.copy_out

    def forgetful(offset: int, n_bytes: int) -> np.ndarray:
        found = whole(offset, n_bytes)
        found[5000] ^= 4
        return found

    monkeypatch.setattr(accelerator._arena, "copy_out", forgetful)
    with pytest.raises(BackendError, match="byte 5000 of the arena does not hold what was written"):
        accelerator.load(bundle_path)
    with pytest.raises(BackendError, match="program pyramid is not loaded"):
        accelerator.submit(program)


def test_registers_can_be_dumped(accelerator: Accelerator) -> None:
    found = accelerator.dump()
    assert found["ID"] == regs.ID_VALUE
    assert found["GENERATION"] == found["CURRENT_GENERATION"] == 1
    assert found["ARENA_SIZE"] == accelerator.arena_bytes
    assert accelerator.clock_hz == 100_000_000
