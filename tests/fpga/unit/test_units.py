# SPDX-License-Identifier: Apache-2.0
"""Each module of the accelerator alone, on Icarus, against a reference of its own; and each bench against a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpga.sim.build import PACKAGES, Variant, rtl_sources
from tests.fpga.unit.runner import missing_tool, run_bench

MODULES: dict[str, dict[str, int]] = {
    "fifo": {"Width": 16, "Depth": 8},
    "room": {},
    "dot": {},
    "array": {},
    "buffer": {},
    "steps": {},
    "load": {},
    "post": {},
    "store": {},
    "bus": {},
    "check": {},
    "regs": {"ClockHz": 123_456_789},
    "ring": {},
}
"""Parameters of each module, without PX."""
PARTS = {"array": ("accel_dot.sv",)}
PIXEL_MODULES = ("room", "array", "buffer", "steps", "post", "regs")
CASES = [(name, px) for name in MODULES for px in ((1, 2, 4) if name in PIXEL_MODULES else (0,))]
PLANTED = {
    "fifo": ("(~valid_o | pop_i);", "~valid_o;"),  # an entry every second clock
    "room": ("Bits'(0)) - (done_q[2]", "Bits'(0)) - (done_q[0]"),  # given back before the entries are counted
    "dot": ("taken1[8*i +: 8]", "taken1[8*i +: 7]"),
    "array": ("shift  = pipe_q[3]", "shift  = pipe_q[2]"),  # the digit of the next step
    "buffer": ("(column < {1'b0, width_i})", "(column <= {1'b0, width_i})"),  # row padding is let in
    "steps": ("7'(16 * PX - 1)", "7'(PX - 1)"),  # raw groups too fast for the post unit
    "load": (
        "for_thresholds & (blocks_taken_i",
        "for_thresholds & (block_i + 6'd1",
    ),  # thresholds in use are overwritten
    "post": ("clamped = {value[31], {(AccBits - 1){~value[31]}}};", "clamped = value[AccBits-1:0];"),
    "store": ("~(stop_i & beat_first_o)", "~stop_i"),  # a burst is dropped half way
    "bus": ("load_valid_i & ~tags_full", "load_valid_i"),  # a ninth open read
    "check": ("sum_q > 45'(BufferRows)", "sum_q >= 45'(BufferRows)"),
    "regs": ("state_i.irq_count != irq_seen_q", "state_i.irq_count > irq_seen_q"),
    "ring": ("Reset:\n        if (bus_idle_i) begin", "Reset:\n        begin"),  # with accesses open
}
"""Text of a module that stands there once, and a fault in its place."""


@pytest.fixture(autouse=True)
def tools(variant: Variant) -> None:
    """Skip without EDGE_SIM, cocotb or Icarus, and where the lines of the simulated accelerator are counted."""
    if variant.coverage:
        pytest.skip("runs on Icarus, which counts no lines")
    if reason := missing_tool():
        pytest.skip(reason)


def sources_of(module: str) -> list[Path]:
    """Return the files that a module needs; its own is the last."""
    files = {path.name: path for path in rtl_sources()}
    return [files[name] for name in (*PACKAGES, *PARTS.get(module, ()), f"accel_{module}.sv")]


def parameters(module: str, px: int) -> dict[str, int]:
    return MODULES[module] | ({"PX": px} if module in PIXEL_MODULES else {})


@pytest.mark.parametrize(("module", "px"), CASES, ids=[f"{name}-px{px}" if px else name for name, px in CASES])
def test_module(module: str, px: int, tmp_path: Path) -> None:
    complaint = run_bench(module, sources_of(module), parameters(module, px), tmp_path)
    assert not complaint, complaint


@pytest.mark.parametrize("module", MODULES)
def test_what_is_planted_is_found(module: str, variant: Variant, tmp_path: Path) -> None:
    *others, path = sources_of(module)
    old, new = PLANTED[module]
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    copy = tmp_path / path.name
    copy.write_text(text.replace(old, new), "utf-8")
    assert "failed" in run_bench(module, [*others, copy], parameters(module, variant.px), tmp_path)
