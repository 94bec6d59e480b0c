# SPDX-License-Identifier: Apache-2.0
"""The C kernels on an emulated Cortex-A9 change the same bytes as the emulator, with instructions that this CPU has."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.lowbit import emulator
from device.lowbit.descriptor import Descriptor, ErrorCode
from device.lowbit.library import KERNELS, Level
from tests.arm import count, toolchain
from tests.arm.expression_shape import (
    COPIES,
    PLANES,
    evaluate_float,
    float_input,
    float_layers,
    loaded_arena,
    low_bit_network,
)
from tests.arm.jobs import ArenaJob, float_job, float_output, split_answers
from tests.arm.toolchain import FLAGS, build, build_arena_driver, build_counter, call, count_instructions, emulate
from tests.device.lowbit import golden
from tests.device.lowbit.cases import Case, make_case, random_shape
from tests.device.lowbit.illegal import ARENA_BYTES, illegal

LEVELS = pytest.mark.parametrize("level", [Level.PLAIN, Level.NEON], ids=["plain", "neon"])
FUSED = re.compile(r"\svfn?m[as](?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?\.f(?:32|64)\s")
"""Fused multiply-adds: VFPv4, a Cortex-A9 has VFPv3."""
MOST_INSTRUCTIONS = 8_500_000
"""Of the whole network by the NEON kernel: 7.85 million with gcc 12, and a twentieth of the float network's."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for what is built; skips without the tools, but not in CI, which has to install them."""
    if lacking := toolchain.missing_tools():
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the ARM tests, but {lacking}")
        pytest.skip(lacking)
    return tmp_path_factory.mktemp("arm")


@pytest.fixture(scope="module")
def driver(folder: Path) -> Path:
    return build_arena_driver(folder)


def check_cases(driver: Path, level: Level, cases: Sequence[Case]) -> None:
    """Run all cases in one process and compare all bytes with the emulator's."""
    jobs = [ArenaJob(case.arena, case.words, level) for case in cases]
    answers = split_answers(emulate(driver, b"".join(job.encode() for job in jobs)), jobs)
    for case, (code, found) in zip(cases, answers, strict=True):
        expected = case.arena.copy()
        assert emulator.run(expected, case.words) == ErrorCode.OK
        assert code == ErrorCode.OK, case.descriptor
        assert np.array_equal(found, expected), case.descriptor


@LEVELS
def test_random_layers_equal_the_emulator(driver: Path, level: Level) -> None:
    rng = np.random.default_rng(7)
    cases = []
    for _ in range(150):
        spare = (32 * int(rng.integers(0, 3)), 32 * int(rng.integers(0, 3)))
        cases.append(make_case(rng, random_shape(rng), spare))
    check_cases(driver, level, cases)


@LEVELS
def test_layers_at_the_limits_equal_the_emulator(driver: Path, level: Level) -> None:
    rng = np.random.default_rng(8)
    sizes = [
        (1024, 1, 1, 1, 3),
        (1, 1024, 1, 1, 3),
        (3, 3, 32, 4, 3),
        (4, 4, 32, 1, 3),
        (31, 17, 7, 2, 3),
        (5, 2, 16, 3, 1),
    ]
    cases = []
    for w, h, cb_in, digits, k in sizes:
        shape = Descriptor(w=w, h=h, cb_in=cb_in, cb_out=1, digits=digits, k=k)
        pad = int(k == 3)
        shape = replace(shape, pad_top=pad, pad_bottom=pad, pad_left=pad, pad_right=pad)
        cases += [make_case(rng, replace(shape, raw=raw)) for raw in (0, 1)]
    for value in (0x00, 0xFF):
        case = make_case(rng, Descriptor(w=4, h=4, cb_in=32, cb_out=1, digits=4, k=3, raw=1))
        case.arena[: case.descriptor.constants_bytes] = value
        case.arena[case.descriptor.src : case.descriptor.dst] = 0xFF
        cases.append(case)
    check_cases(driver, level, cases)


@LEVELS
def test_golden_records_are_reproduced(driver: Path, level: Level) -> None:
    records, refused = golden.load()
    jobs = [ArenaJob(record.arena, record.words, level) for record in records]
    for record, (code, arena) in zip(
        records, split_answers(emulate(driver, b"".join(job.encode() for job in jobs)), jobs), strict=True
    ):
        assert code == ErrorCode.OK, record.name
        assert hashlib.sha256(arena.tobytes()).hexdigest() == record.after, record.name
    empty = np.full(ARENA_BYTES, 0xA5, np.uint8)
    jobs = [ArenaJob(empty, record.words, level) for record in refused]
    answers = split_answers(emulate(driver, b"".join(job.encode() for job in jobs)), jobs)
    assert [code for code, _ in answers] == [record.code for record in refused]
    assert len(answers) == len(illegal())
    assert all(np.array_equal(arena, empty) for _, arena in answers)


@LEVELS
def test_whole_network_equals_the_emulator(driver: Path, level: Level) -> None:
    _, arena, words = loaded_arena(low_bit_network())
    expected = arena.copy()
    assert emulator.run(expected, words) == ErrorCode.OK
    job = ArenaJob(arena, words, level)
    ((code, found),) = split_answers(emulate(driver, job.encode()), [job])
    assert code == ErrorCode.OK
    assert np.array_equal(found, expected)


def test_codes_of_the_network_are_spread() -> None:
    """A network whose layers answer the same code everywhere would prove nothing."""
    _, arena, words = loaded_arena(low_bit_network())
    for row in words:
        assert emulator.run(arena, row[None]) == ErrorCode.OK
        d = Descriptor.decode(row)
        if not d.raw:
            planes = np.concatenate([arena[start:end].view("<u8") for start, end in d.dst_planes()])
            low, high = planes & np.uint64(0xFFFFFFFF), planes >> np.uint64(32)
            bits = [int(np.bitwise_count(plane).sum()) for plane in (low & ~high, high & ~low, low & high)]
            assert min(bits) > 0.1 * 32 * planes.size * d.stored_hw[1] / (-(-d.stored_hw[1] // 4) * 4), d


def test_both_networks_multiply_as_often() -> None:
    """But for the copies at the input and the planes of the head, which the float network does not need."""
    bundle, _, _ = loaded_arena(low_bit_network())
    wanted = [layer.macs for layer in float_layers()]
    wanted[0], wanted[-1] = COPIES * wanted[0], PLANES * wanted[-1]
    assert sum(wanted) == bundle.programs["expression"].macs


def disassembled(folder: Path, *flags: str) -> str:
    made = folder / "accel_cpu.o"
    call([toolchain.COMPILER, *FLAGS, *flags, "-c", KERNELS / "accel_cpu.c", "-o", made], toolchain.BUILD_TIMEOUT_S)
    return call([toolchain.DISASSEMBLER, "-d", made], toolchain.BUILD_TIMEOUT_S).stdout.decode()


def test_no_instruction_is_newer_than_the_cpu(folder: Path) -> None:
    found = disassembled(folder)
    assert "vtbl.8" in found, "the NEON kernel is not in the object"
    assert "vcnt.8" in found
    assert FUSED.findall(found) == []


def test_fused_instructions_would_be_found(folder: Path) -> None:
    made = build("float_network", folder, "-mfpu=neon-vfpv4", "-ffast-math", "-DINPUTS=8")
    printed = call([toolchain.DISASSEMBLER, "-d", made], toolchain.BUILD_TIMEOUT_S).stdout.decode()
    assert FUSED.search(printed)


@pytest.mark.parametrize("flags", [(), ("-ffast-math", "-DINPUTS=8")], ids=["scalar", "vectors"])
def test_float_network_is_right(folder: Path, flags: tuple[str, ...]) -> None:
    program = build("float_network", folder, *flags)
    layers = float_layers()
    small = replace(layers[4], in_hw=(4, 5))
    for layer in (layers[0], small, layers[-1]):
        x = float_input(layer)
        found = float_output(emulate(program, float_job([layer], x, 1, bool(flags))), layer)
        assert np.abs(found - evaluate_float([layer], x)).max() < 1e-4
    x = float_input(small)
    chain = [small, replace(small, weights=small.weights[:7], bias=small.bias[:7])]
    found = float_output(emulate(program, float_job(chain, x, 1, bool(flags))), chain[-1])
    assert np.abs(found - evaluate_float(chain, x)).max() < 1e-4


def test_instructions_stay_below_the_gate(folder: Path, driver: Path) -> None:
    counter = build_counter(folder)
    _, arena, words = loaded_arena(low_bit_network())
    once, thrice = (
        count_instructions(counter, driver, ArenaJob(arena, words, Level.NEON, runs).encode()) for runs in (1, 3)
    )
    assert (thrice - once) / 2 < MOST_INSTRUCTIONS
    again = count_instructions(counter, driver, ArenaJob(arena, words, Level.NEON).encode())
    assert again == pytest.approx(once, rel=1e-3)  # the same but for how many reads a pipe needs


@pytest.mark.usefixtures("folder")
def test_figures_are_told_as_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    layers = tuple(float(1000 * i) for i in range(1, len(float_layers()) + 1))
    names = (*count.LOW_BIT_VARIANTS, *count.FLOAT_VARIANTS)
    found = {name: count.Figures(FLAGS, 45_000.0 * (i + 1), layers) for i, name in enumerate(names)}
    lines = count.table(count.expression(), found).splitlines()
    assert lines[1].split() == ["conv1", "664", "1", "1", "1", "1"]
    assert lines[-2].split() == ["network", "89,059", "45", "90", "135", "180"]
    assert lines[-1].split() == ["times", "w1a2", "NEON", "1.0", "2.0", "3.0", "4.0"]
    told = json.loads(json.dumps(count.report(count.expression(), found, 11)))
    assert told["machine"] == "qemu-arm -cpu cortex-a9"
    assert told["instructions"]["float"]["network"] == 135_000
    assert told["instructions"]["float"]["times w1a2 NEON"] == 3.0
    assert told["instructions"]["w1a2 NEON"]["layers"]["score"] == 11_000
    with pytest.raises(SystemExit):
        count.main(["--runs", "1"])
    assert "--runs: expected 2 or more, got 1" in capsys.readouterr().err


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert toolchain.missing_tools() == (
        "arm-linux-gnueabihf-gcc and arm-linux-gnueabihf-objdump and qemu-arm not found: "
        "install gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user"
    )
    assert count.main([]) == 1


def test_a_program_that_fails_is_quoted(driver: Path) -> None:
    with pytest.raises(RuntimeError, match="expected a whole job, found its beginning"):
        emulate(driver, ArenaJob(np.zeros(64, np.uint8), np.zeros((1, 16), "<u4"), Level.PLAIN).encode()[:-1])
    with pytest.raises(RuntimeError, match="does not have the kernel asked for"):
        emulate(driver, ArenaJob(np.zeros(64, np.uint8), np.zeros((1, 16), "<u4"), Level.AVX2).encode())
