# SPDX-License-Identifier: Apache-2.0
"""Faults planted into the RTL that the tests of tests/fpga must find: `python -m fpga.sim.mutants [N ...]`.

Each fault is a replacement of text in a copy of the sources, which is built in a folder of its own; the quick tests
run against it. A fault that no test finds is a hole in the tests. Builds take most of the time, about a minute each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fpga.sim.build import ROOT, RTL

TESTS = ("tests/fpga/test_layers.py", "tests/fpga/test_faults.py")
TIMEOUT_S = 900.0
FOLDER, BUILT = "EDGE_RTL", "EDGE_SIM_OUT"


@dataclass(frozen=True)
class Fault:
    """`old`, which stands once in the file, becomes `new`."""

    name: str
    file: str
    old: str
    new: str


FAULTS = (
    Fault("top padding forgotten", "accel_steps.sv", "- $signed({12'b0, layer_i.pad_top})", ""),
    Fault("left padding forgotten", "accel_steps.sv", "- {11'd0, layer_i.pad_left}", ""),
    Fault(
        "planes swapped",
        "accel_array.sv",
        ".plane0_i(word_q[p][31:0]), .plane1_i(word_q[p][63:32]), .weight_i(weight_q[o])",
        ".plane1_i(word_q[p][31:0]), .plane0_i(word_q[p][63:32]), .weight_i(weight_q[o])",
    ),
    Fault("digits all of one place value", "accel_array.sv", "<<< {shift.digit, 1'b0}", "<<< 0"),
    Fault("a threshold is not reached by its own value", "accel_post.sv", "r1 = sum >= now1_q", "r1 = sum > now1_q"),
    Fault(
        "thresholds of the block before", "accel_post.sv", "if (switch) begin", "if (switch & (blocks_o == 0)) begin"
    ),
    Fault(
        "space-to-depth swaps columns",
        "accel_store.sv",
        "is_depth ? {beat_q[0], second_q}",
        "is_depth ? {beat_q[0], ~second_q}",
    ),
    Fault("rows start before they are loaded", "accel_steps.sv", "& ({1'b0, rows_i} >= needed)", ""),
    Fault("burst length changes under waitrequest", "accel_bus.sv", "| ~mem_waitrequest_i;", "| 1'b1;"),
    Fault(
        "no fence",
        "accel_ring.sv",
        "RecordLow: if (record_ready_i) state_q <= Fence;",
        "RecordLow: if (record_ready_i) begin head_q <= seq; state_q <= Idle; end",
    ),
    Fault("a reset keeps the error", "accel_ring.sv", "{head_q, error_q, irq_q} <= '0;", "{head_q, irq_q} <= '0;"),
    Fault(
        "overrun of one entry is let through",
        "accel_ring.sv",
        "tail_i - head_q > length",
        "tail_i - head_q > length + 1",
    ),
    Fault(
        "bus errors of the input are ignored", "accel_ring.sv", "Run:\n        if (fault_q)", "Run:\n        if (1'b0)"
    ),
)


def plant(fault: Fault, folder: Path) -> None:
    """Write all sources with the fault into `folder`; raises ValueError unless its place is there once."""
    shutil.copytree(RTL, folder)
    path = folder / fault.file
    text = path.read_text("utf-8")
    if text.count(fault.old) != 1:
        raise ValueError(
            f"{fault.name}: expected {fault.old!r} once in {fault.file}, found it {text.count(fault.old)} times"
        )
    path.write_text(text.replace(fault.old, fault.new), "utf-8")


def is_found(fault: Fault) -> bool:
    """Tell whether a test fails on the accelerator with the fault."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        plant(fault, Path(name) / "rtl")
        env = dict(os.environ, EDGE_SIM="px4") | {FOLDER: f"{name}/rtl", BUILT: f"{name}/out"}
        command = [sys.executable, "-m", "fpga.sim.build"]
        subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=TIMEOUT_S, stdout=subprocess.DEVNULL)
        command = [sys.executable, "-m", "pytest", "-q", "-x", *TESTS]
        try:
            done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return True
        last = (done.stdout.strip().splitlines() or [""])[-1]
        print(f"{fault.name}: {last}", flush=True)
        return done.returncode == 1  # pytest: some tests failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant faults into the RTL and see the tests fail.")
    parser.add_argument("numbers", nargs="*", type=int, help=f"of these faults only, 0 to {len(FAULTS) - 1}")
    arguments = parser.parse_args()
    chosen = [FAULTS[i] for i in arguments.numbers] or list(FAULTS)
    missed = [fault.name for fault in chosen if not is_found(fault)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults found; missed: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
