# SPDX-License-Identifier: Apache-2.0
"""Whole networks through the ring: the bytes of the emulator; cycles beside the model's. Simulated, not measured."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from device.fpga import regs
from device.lowbit import cycles, emulator
from device.lowbit.bundle_file import load_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.descriptor import Descriptor, ErrorCode, Op
from device.lowbit.emulator import Arena
from device.lowbit.layout import pack_codes
from device.lowbit.linker import link, unlink
from device.lowbit.program import DESCRIPTOR_BYTES, RECORD_BYTES, Bundle, Program
from fpga.sim.board import IDEAL, SimulatedBoard, Timing, new_memory
from fpga.sim.build import Variant
from models.card import WEIGHTS
from tests.device.lowbit.networks import pyramid, tall
from tests.fpga.shapes import flow_depth3, lmnet_v1

TOLERANCE = 0.05
"""Gate of section 12, for a whole network."""
BUSY = 0.85
"""Share of the cycles in which the array works, for layers that the model does not expect to wait for the memory."""
MACS_PER_CYCLE = 4 * 32 * 32


@cache
def bundles() -> dict[str, Bundle]:
    return {
        "expression": load_bundle(WEIGHTS / "expression_w1a2.json"),
        "own flow": load_bundle(WEIGHTS / "flow_w1a2.json"),
        "lmnet": link([compile_network(lmnet_v1())], slots=1),
        "flow": link([compile_network(flow_depth3())], slots=1),
    }


def filled_arena(bundle: Bundle, rng: np.random.Generator) -> Arena:
    """Return the arena with random values in every slot of every input."""
    arena = new_memory(bundle.arena_bytes)
    arena[: bundle.image.size] = bundle.image
    for program in bundle.programs.values():
        for port in program.inputs:
            for slot in range(port.slots):
                start = port.offset + slot * port.slot_pitch
                values = rng.integers(0, 4**port.digits, port.shape)
                arena[start : start + port.n_bytes] = (
                    pack_codes(values.repeat(port.copies, 0), port.digits).view(np.uint8).reshape(-1)
                )
    return arena


def outside_control(bundle: Bundle, arena: Arena) -> Arena:
    """Return a copy with zeros for ring and records, which only a ring writes."""
    kept, ring = arena.copy(), bundle.ring
    kept[ring.offset : ring.offset + (DESCRIPTOR_BYTES << ring.log2)] = 0
    kept[ring.records : ring.records + (RECORD_BYTES << ring.log2)] = 0
    return kept


def check_program(simulator: Path, bundle: Bundle, program: Program, timing: Timing) -> SimulatedBoard:
    """Run one program on both machines and compare every byte; return the board."""
    arena = filled_arena(bundle, np.random.default_rng(5))
    expected, words = arena.copy(), bundle.words(program)
    assert emulator.run(expected, words) == ErrorCode.OK
    board = SimulatedBoard(arena, timing, simulator)
    board.reset(bundle.ring)
    board.submit(words)
    assert board.wait() == ErrorCode.OK
    assert np.array_equal(outside_control(bundle, arena), outside_control(bundle, expected))
    output = program.outputs[0]
    assert np.unique(arena[output.offset : output.offset + output.n_bytes]).size > 2, "the numbers say nothing"
    return board


@pytest.mark.parametrize("name", ["expression", "own flow", "lmnet", "flow"])
@pytest.mark.parametrize("timing", [IDEAL, Timing(25, 12, 3)], ids=["ideal", "25-percent"])
def test_network_equals_the_emulator(
    simulator: Path,
    variant: Variant,
    name: str,
    timing: Timing,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The model assumes a memory; this one is known.
    monkeypatch.setattr(cycles, "BUS_EFFICIENCY", 1 - timing.waitrequest_percent / 100)
    bundle = bundles()[name]
    program = next(iter(bundle.programs.values()))
    board = check_program(simulator, bundle, program, timing)
    layers = [Descriptor.decode(row) for row in bundle.words(program)]
    taken = [board.record(i).cycles for i in range(len(layers))]
    model = [cycles.descriptor_cycles(d) for d in layers]
    lines = [f"\n{name}, memory busy {timing.waitrequest_percent} %: simulated cycles, model, ratio"]
    for d, found, planned in zip(layers, taken, model, strict=True):
        shape = f"{d.h}x{d.w} {d.cb_in}->{d.cb_out} k{d.k} D{d.digits}{' raw' if d.raw else ''}"
        lines.append(f"  {shape:24s} {found:8d} {planned:10.0f} {found / planned:6.3f}")
    lines.append(f"  {'total':24s} {sum(taken):8d} {sum(model):10.0f} {sum(taken) / sum(model):6.3f}")
    with capsys.disabled():
        print("\n".join(lines))
    if variant.px == 4:
        assert abs(sum(taken) / sum(model) - 1) <= TOLERANCE


@pytest.mark.parametrize("name", ["own flow", "lmnet", "flow"])
def test_the_array_is_busy_on_big_layers(
    simulator: Path, name: str, variant: Variant, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundles()[name]
    program = next(iter(bundle.programs.values()))
    board = SimulatedBoard(filled_arena(bundle, np.random.default_rng(6)), IDEAL, simulator)
    board.reset(bundle.ring)
    for i, row in enumerate(bundle.words(program)):
        before = board.read(regs.BUSY)
        board.submit(row[None])
        assert board.wait() == ErrorCode.OK
        share = (board.read(regs.BUSY) - before) / board.record(i).cycles
        d = Descriptor.decode(row)
        with capsys.disabled():
            print(f"\n{name} layer {i}: {d.macs / 1e6:6.1f} MMAC of the lanes, array busy {share:.3f}", end="")
        assert d.op == Op.CONV
        is_bound_by_the_array = d.macs / MACS_PER_CYCLE >= BUSY * cycles.descriptor_cycles(d)
        assert share >= BUSY or not is_bound_by_the_array or variant.px != 4


def committed() -> Bundle:
    """Return the committed networks in one bundle, as the bundle command makes it."""
    programs = {"expression": "expression", "own flow": "flow"}
    return link([unlink(bundles()[name], program) for name, program in programs.items()])


@pytest.mark.parametrize("seed", [0, 1, 2, None], ids=["seed 0", "seed 1", "seed 2", "expression and flow"])
def test_two_networks_share_one_ring(simulator: Path, seed: int | None) -> None:
    number = 0 if seed is None else seed
    rng, small = np.random.default_rng(number), [pyramid(), tall()]
    bundle = committed() if seed is None else link([compile_network(each) for each in small], slots=2, ring_log2=5)
    first, second = bundle.programs.values()
    jobs = [(int(rng.integers(2)), int(rng.integers(2))) for _ in range(10)]
    arena = filled_arena(bundle, rng)
    expected = arena.copy()
    board = SimulatedBoard(arena, Timing(10 * number, 3 + 9 * number, number), simulator)
    board.reset(bundle.ring)
    for which, slot in jobs:
        words = bundle.slot_words((first, second)[which], slot)
        assert emulator.run(expected, words) == ErrorCode.OK
        room = board.submitted + len(words) - (1 << bundle.ring.log2)
        assert board.wait(max(room, 0)) == ErrorCode.OK
        board.submit(words)
    assert board.wait(most_cycles=8_000_000) == ErrorCode.OK
    assert board.submitted > 2 << bundle.ring.log2
    assert np.array_equal(outside_control(bundle, arena), outside_control(bundle, expected))
