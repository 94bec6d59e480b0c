# SPDX-License-Identifier: Apache-2.0
"""Faults of the unit, its bus and its owner: an error that a person understands, an accelerator that works after it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import BackendError, BackendUnavailable, DeviceTimeout
from device.fpga import regs
from device.fpga.driver import Accelerator
from device.fpga.engine import Patience
from device.fpga.identity import BitstreamMismatch
from device.fpga.mmio import Window
from device.lowbit.bundle_file import load_bundle, save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.descriptor import DST_WORD, N_WORDS, ErrorCode
from device.lowbit.linker import link
from device.lowbit.program import Program
from tests.device.fpga.conftest import QUICK, Hardware, Planted, start_python
from tests.device.fpga.test_driver import run_one
from tests.device.lowbit.networks import pyramid


@pytest.fixture
def quick(planted: Planted, bundle_path: Path) -> tuple[Accelerator, dict[str, Program]]:
    """The driver with little patience, two networks loaded."""
    accelerator = planted.open(QUICK)
    return accelerator, accelerator.load(bundle_path)


def test_a_hang_is_reset_and_the_job_runs_again(
    planted: Planted, quick: tuple[Accelerator, dict[str, Program]], caplog: pytest.LogCaptureFixture
) -> None:
    accelerator, programs = quick
    planted.unit.faults.hangs = 1
    others = [accelerator.submit(programs["second"], slot) for slot in range(2)]
    run_one(accelerator, programs["pyramid"], 1)
    for job in others:
        accelerator.wait(job)
    assert "record 1 of program second, slot 0, layer 0: 30" in caplog.text
    assert "reset and tried again" in caplog.text
    assert planted.unit.get(regs.CURRENT_GENERATION) == 3  # open, load, and once more
    accelerator.close()


def test_a_second_hang_is_a_timeout_with_the_status_register(
    planted: Planted, quick: tuple[Accelerator, dict[str, Program]]
) -> None:
    accelerator, programs = quick
    planted.unit.faults.hangs = 2
    job = accelerator.submit(programs["pyramid"], slot=1)
    with pytest.raises(
        DeviceTimeout,
        match=r"record 1 of program pyramid, slot 1, layer 0: 30\d ms passed, STATUS=0x00000001 HEAD=0 TAIL=6",
    ):
        accelerator.wait(job)
    run_one(accelerator, programs["pyramid"], 2)
    accelerator.close()


@pytest.mark.parametrize("is_silent", [False, True], ids=["record", "no record"])
@pytest.mark.parametrize("code", [ErrorCode.BUS_ERROR, ErrorCode.BAD_SEQ, ErrorCode.TIMEOUT], ids=lambda c: c.name)
def test_errors_of_the_transport_are_tried_once_more(
    planted: Planted, quick: tuple[Accelerator, dict[str, Program]], code: ErrorCode, is_silent: bool
) -> None:
    accelerator, programs = quick
    planted.unit.faults.is_silent = is_silent
    planted.unit.faults.codes = [code]
    run_one(accelerator, programs["pyramid"], 1)
    planted.unit.faults.codes = [ErrorCode.OK, ErrorCode.OK, code, ErrorCode.OK, code]
    kind = DeviceTimeout if code == ErrorCode.TIMEOUT else BackendError
    job = accelerator.submit(programs["pyramid"])
    with pytest.raises(
        kind, match=rf"pyramid, slot 0, layer 1: the accelerator stopped with {code.name} at seq 2, arena offset 0x"
    ):
        accelerator.wait(job)
    run_one(accelerator, programs["pyramid"], 2)
    accelerator.close()


def test_an_error_of_the_descriptor_fails_its_job_alone(
    planted: Planted, quick: tuple[Accelerator, dict[str, Program]]
) -> None:
    accelerator, programs = quick
    planted.unit.faults.late_registers_s = 2e-3
    planted.unit.faults.codes = [ErrorCode.OK] * 5 + [ErrorCode.OUT_OF_ARENA]
    first, second = accelerator.submit(programs["pyramid"]), accelerator.submit(programs["second"])
    source = word_in_arena(programs["pyramid"], accelerator, 5, 4)
    with pytest.raises(
        BackendError, match=rf"layer 5: .* OUT_OF_ARENA at seq 6, arena offset {source:#x}, STATUS=0x00000702"
    ):
        accelerator.wait(first)
    accelerator.wait(second)
    assert planted.unit.get(regs.CURRENT_GENERATION) == 3
    run_one(accelerator, programs["pyramid"], 3)
    accelerator.close()


def word_in_arena(program: Program, accelerator: Accelerator, index: int, word: int) -> int:
    """Return a word of a descriptor as the arena holds it."""
    row = np.zeros(4 * N_WORDS, np.uint8)
    accelerator.read(program.offset + 64 * index, row)
    return int(row.view("<u4")[word])


def test_a_descriptor_spoiled_in_memory_is_refused_by_the_unit(accelerator_file: Hardware, bundle_path: Path) -> None:
    """The driver copies what check_bundle saw: a job spoiled in this process stands for a driver that is wrong."""
    accelerator = accelerator_file.open()
    for name, word, value in (("BAD_ALIGN", DST_WORD, 8), ("BAD_FIELD", 12, 1), ("OUT_OF_ARENA", DST_WORD, 0xFFFFFF00)):
        program = accelerator.load(bundle_path)["pyramid"]
        bundle = accelerator._bundle
        assert bundle is not None
        image, at = bundle.image.copy(), program.offset + 2 * 64 + word * 4
        image[at : at + 4] = np.array([value], "<u4").view(np.uint8)
        accelerator._bundle = replace(bundle, image=image)
        job = accelerator.submit(program)
        with pytest.raises(BackendError, match=rf"layer 2: the accelerator stopped with {name} at seq 3, arena offset"):
            accelerator.wait(job)
    run_one(accelerator, accelerator.load(bundle_path)["pyramid"], 4)
    accelerator.close()


def test_a_late_record_of_the_generation_before_is_not_taken(planted: Planted, bundle_path: Path) -> None:
    planted.unit.faults.late_record = True
    accelerator = planted.open()
    program = accelerator.load(bundle_path)["pyramid"]
    planted.unit.faults.descriptor_s = 5e-3
    for seed in range(2):
        assert 999_999 not in run_one(accelerator, program, seed).cycles
        accelerator.reset()
    accelerator.close()


def test_a_reset_wipes_the_records(accelerator: Accelerator, bundle_path: Path) -> None:
    """The generation in a record has 8 bits: without this, one of 256 resets ago would count."""
    bundle = load_bundle(bundle_path)
    run_one(accelerator, accelerator.load(bundle_path)["pyramid"], 1)
    records = bundle.ring.records, 16 << bundle.ring.log2
    assert accelerator._arena.copy_out(*records).any()
    accelerator.reset()
    assert not accelerator._arena.copy_out(*records).any()


def test_a_reset_that_is_never_answered_says_reload_and_works_when_it_is(planted: Planted, bundle_path: Path) -> None:
    accelerator = planted.open(Patience(0.05, 0.1, 100e6, 200e-6))
    program = accelerator.load(bundle_path)["pyramid"]
    planted.unit.faults.stuck_reset, planted.unit.faults.hangs = True, 1
    jobs = [accelerator.submit(program) for _ in range(6)]
    for job in jobs:
        with pytest.raises(DeviceTimeout, match=r"wait for generation 3: 50 ms passed, .*bus hangs, reload the bitstr"):
            accelerator.wait(job)
    for call in (lambda: accelerator.submit(program), accelerator.reset):
        with pytest.raises(DeviceTimeout, match="reload the bitstream"):
            call()
    planted.unit.faults.stuck_reset = False
    job = accelerator.submit(program)
    accelerator.wait(job)
    accelerator.close()
    planted.unit.faults.stuck_reset = True
    started = time.monotonic()
    with pytest.raises(DeviceTimeout, match=r"wait for generation \d: 50 ms passed"):
        planted.open(Patience(reset_s=0.05))
    assert time.monotonic() - started < 2
    planted.unit.faults.stuck_reset = False
    planted.open().close()


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (regs.ID, 0, r"accelerator id 0x00000000, expected 0x41434331; load our bitstream"),
        (regs.ID, 0xFFFFFFFF, r"accelerator id 0xffffffff"),
        (
            regs.VERSION,
            2 << 16,
            r"version 2\.0, the driver needs 1\.0 or a later 1; load the bitstream of this release",
        ),
        (regs.VERSION, 5, r"version 0\.5, the driver needs 1\.0"),
        (regs.CAPS0, 3 | 32 << 8 | 32 << 16 | 8 << 24, r"an array of 3 pixels, 32 x 32 channels and a bus of 8 bytes"),
        (regs.CAPS0, 4 | 16 << 8 | 32 << 16 | 8 << 24, r"4 pixels, 16 x 32 channels"),
        (regs.CAPS1, 64 | 288 << 16, r"buffers of 64 KiB and 288 weight words, programs need 128 KiB and 288"),
        (regs.CAPS1, 128 | 144 << 16, r"buffers of 128 KiB and 144 weight words"),
        (regs.CLOCK_HZ, 0, r"a clock of 0 Hz, expected 1 MHz to 1 GHz; load our bitstream"),
    ],
)
def test_another_bitstream_is_refused_and_left_alone(planted: Planted, offset: int, value: int, message: str) -> None:
    right = planted.unit.get(offset)
    planted.unit.put(offset, value)
    with pytest.raises(BitstreamMismatch, match=message):
        planted.open()
    assert planted.unit.get(regs.GENERATION) == 0
    planted.unit.put(offset, right)
    planted.open().close()


def test_a_later_minor_version_is_taken(planted: Planted) -> None:
    planted.unit.put(regs.VERSION, 1 << 16 | 7)
    planted.open().close()


def test_a_bus_that_loses_bits_is_found(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window, "write", lambda self, offset, value: None)
    with pytest.raises(BackendError, match=r"SCRATCH holds 0x00000000 after writing 0xffffffff; the bus .* loses bits"):
        planted.open()


KILLED = """
import sys, time
from pathlib import Path
from device.fpga.discover import open_accelerator
from tests.device.fpga.conftest import CALM
accelerator = open_accelerator(sys.argv[1], patience=CALM)
program = accelerator.load(Path(sys.argv[2]))["tall"]
jobs = [accelerator.submit(program) for _ in range(2)]
print("submitted", flush=True)
time.sleep(60)
"""


def test_an_owner_killed_in_the_middle_leaves_an_accelerator_that_works(
    accelerator_file: Hardware, bundle_path: Path
) -> None:
    owner = start_python(KILLED, accelerator_file.device, str(bundle_path))
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "submitted\n"
        with pytest.raises(BackendUnavailable, match=rf"the accelerator is in use by pid {owner.pid} \(it holds"):
            accelerator_file.open()
    finally:
        owner.kill()
        owner.communicate()
    accelerator = accelerator_file.open()
    run_one(accelerator, accelerator.load(bundle_path)["pyramid"], 7)
    accelerator.close()


def test_many_jobs_with_faults_all_end(planted: Planted, tmp_path: Path) -> None:
    """Random errors and hangs; every job ends, with the right numbers or with an error."""
    save_bundle(link([compile_network(pyramid())], slots=4), tmp_path / "one.json")
    accelerator = planted.open(Patience(2.0, 0.15, 100e6, 200e-6))
    program = accelerator.load(tmp_path / "one.json")["pyramid"]
    rng, n_failed = np.random.default_rng(0), 0
    for turn in range(12):
        jobs = [accelerator.submit(program, int(slot), int(rng.integers(3))) for slot in rng.permutation(4)]
        planted.unit.faults.hangs = int(turn in (3, 7))
        planted.unit.faults.codes = [ErrorCode(int(code)) for code in rng.choice([0, 0, 0, 0, 2, 4, 10], 3)]
        for job in jobs:
            try:
                accelerator.wait(job)
            except BackendError:
                n_failed += 1
            assert job.is_done
            assert job.error is not None or len(job.cycles) == program.n_descriptors
    assert 0 < n_failed < 48
    planted.unit.faults.codes = []
    run_one(accelerator, program, 8)
    accelerator.close()
