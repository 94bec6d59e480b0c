# SPDX-License-Identifier: Apache-2.0
"""The driver of the board against the simulated accelerator in a process of its own: whole networks in turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.fpga.driver import Accelerator
from device.fpga.simulator import VARIABLE, open_simulated
from device.lowbit import emulator
from device.lowbit.bundle_file import load_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.descriptor import ErrorCode
from device.lowbit.emulator import Arena
from device.lowbit.linker import link
from device.lowbit.program import Bundle, Program
from fpga.sim.build import ROOT, Variant
from tests.device.lowbit.networks import pyramid
from tests.fpga.shapes import lmnet_v1
from tests.fpga.test_networks import filled_arena


@pytest.fixture
def accelerator(simulator: Path, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accelerator]:
    assert simulator.is_file()
    monkeypatch.setenv(VARIABLE, str(variant.program))
    opened = open_simulated()
    yield opened
    opened.close()


def copy_inputs(accelerator: Accelerator, bundle: Bundle, arena: Arena) -> None:
    for program in bundle.programs.values():
        for port in program.inputs:
            end = port.offset + (port.slots - 1) * port.slot_pitch + port.n_bytes
            accelerator.write(port.offset, arena[port.offset : end])


def check_outputs(accelerator: Accelerator, program: Program, slot: int, expected: Arena) -> None:
    for port in program.outputs:
        start = port.offset + slot * port.slot_pitch
        found = np.empty(port.n_bytes, np.uint8)
        accelerator.read(start, found)
        wrong = (found != expected[start : start + port.n_bytes]).reshape(*port_rows(port.shape, port.n_bytes))
        assert not wrong.any(), f"{program.name}.{port.name} slot {slot}: {wrong.sum()} bytes differ"


def port_rows(shape: tuple[int, int, int], n_bytes: int) -> tuple[int, int]:
    return shape[1], n_bytes // shape[1]


def test_expression_through_the_driver(accelerator: Accelerator) -> None:
    path = ROOT / "models" / "weights" / "expression_w1a2.json"
    bundle = load_bundle(path)
    program = accelerator.load(path)["expression"]
    arena = filled_arena(bundle, np.random.default_rng(1))
    copy_inputs(accelerator, bundle, arena)
    jobs = [(slot, accelerator.submit(program, slot)) for slot in range(program.inputs[0].slots)]
    for slot, job in jobs:
        accelerator.wait(job)
        assert emulator.run(arena, bundle.slot_words(program, slot)) == ErrorCode.OK
        check_outputs(accelerator, program, slot, arena)


def test_two_networks_in_one_bundle_take_turns(accelerator: Accelerator) -> None:
    bundle = link([compile_network(pyramid()), compile_network(lmnet_v1())], slots=2)
    programs = accelerator.install(bundle)
    arena = filled_arena(bundle, np.random.default_rng(2))
    copy_inputs(accelerator, bundle, arena)
    jobs = []
    for slot in (0, 1, 0, 1):
        for name in ("pyramid", "lmnet"):
            jobs.append((programs[name], slot, accelerator.submit(programs[name], slot)))
            assert emulator.run(arena, bundle.slot_words(programs[name], slot)) == ErrorCode.OK
    for _, _, job in jobs:
        accelerator.wait(job)
    for program, slot, _ in jobs:
        check_outputs(accelerator, program, slot, arena)


def test_reset_between_jobs(accelerator: Accelerator) -> None:
    bundle = link([compile_network(pyramid())], slots=2)
    program = accelerator.install(bundle)["pyramid"]
    arena = filled_arena(bundle, np.random.default_rng(3))
    copy_inputs(accelerator, bundle, arena)
    assert emulator.run(arena, bundle.slot_words(program, 0)) == ErrorCode.OK
    for _ in range(3):
        job = accelerator.submit(program, 0)
        accelerator.reset()
        accelerator.wait(job)
        check_outputs(accelerator, program, 0, arena)
