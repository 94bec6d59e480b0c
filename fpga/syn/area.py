# SPDX-License-Identifier: Apache-2.0
"""Estimate the area on the Cyclone V, module by module, and refuse growth: `python -m fpga.syn.area [--write]`.

ALM = LUTs of 6 inputs + (smaller LUTs + adder cells + LUT RAM cells) / 2; the vendor's packing may differ by 20 %.
The figures in `area.json` are the last ones accepted; changing the file is a reviewed commit. Never a vendor's report.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from pyosys import libyosys as ys

RTL = Path(__file__).parents[1] / "rtl"
BUDGET = Path(__file__).with_name("area.json")
TOP, PACKAGES = "accel_top", ("accel_regs_pkg.sv", "accel_pkg.sv")
TOTAL = "total"
COPIED = "accel_dot"
"""A module of many instances and no parameter."""
LIMITS = {"alm": 27_000, "m10k": 300, "dsp": 8}
"""Of the whole: HDMI output must still fit the 5CSEBA6."""
GROWTH, SLACK = 1.10, 8
"""Largest figure beside the accepted one; a small module may grow by a few cells."""

Figures = dict[str, int]


def synthesise(px: int) -> dict[str, Figures]:
    """Return {module: figures} and the total. Modules are mapped one by one, so nothing moves between them."""
    design = ys.Design()
    sources = [RTL / name for name in PACKAGES]
    sources += [path for path in sorted(RTL.glob("*.sv")) if path not in sources]
    with tempfile.TemporaryDirectory(prefix="area-") as folder:
        log, report = Path(folder) / "log", Path(folder) / "stat.json"
        files = " ".join(str(path) for path in sources)
        ys.run_pass(f"tee -q -o {log} read_slang {files} --top {TOP} -G PX={px} --keep-hierarchy", design)
        share_copies(design)
        ys.run_pass(f"tee -q -o {log} synth_intel_alm -family cyclonev -noiopad -noflatten -top {TOP}", design)
        ys.run_pass(f"tee -q -o {report} stat -json", design)
        return by_module(json.loads(report.read_text("utf-8")))


def share_copies(design: ys.Design) -> None:
    """Let all instances of COPIED be of one module: the reader makes one for each, and mapping takes long."""
    first: ys.IdString | None = None
    for module in design.modules_.values():
        for cell in module.cells_.values():
            if str(cell.type).startswith(f"\\{COPIED}$"):
                first = first or cell.type
                cell.type = first


def by_module(report: dict[str, Any]) -> dict[str, Figures]:
    """Return the figures of a yosys report; a module's own cells, all its instances together."""
    modules = {name.lstrip("\\"): module["num_cells_by_type"] for name, module in report["modules"].items()}
    cells: dict[str, Counter[str]] = defaultdict(Counter)
    for name, own in modules.items():
        users = [other[kind] for other in modules.values() for kind in other if kind.lstrip("\\") == name]
        n_instances = sum(users) or 1
        cells[name.split("$")[0]].update({kind: n * n_instances for kind, n in own.items()})
    total: Counter[str] = Counter()
    for own in cells.values():
        total.update(own)
    found = {name: figures(own) for name, own in sorted(cells.items()) if name.startswith("accel_")}
    return {**found, TOTAL: figures(total)}


def figures(cells: Counter[str]) -> Figures:
    """Return ALM (estimate), M10K, flip-flops and DSP of mapped cells."""
    halves = sum(cells[f"MISTRAL_ALUT{k}"] for k in range(2, 6)) + cells["MISTRAL_ALUT_ARITH"] + cells["MISTRAL_MLAB"]
    multipliers = sum(n for name, n in cells.items() if name.startswith("MISTRAL_MUL"))
    return {
        "alm": round(cells["MISTRAL_ALUT6"] + halves / 2),
        "m10k": cells["MISTRAL_M10K"],
        "ff": cells["MISTRAL_FF"],
        "dsp": multipliers,
    }


def excess(found: dict[str, Figures], accepted: dict[str, Figures]) -> list[str]:
    """Return one line for every figure above a limit or above what was accepted."""
    lines = [
        f"{key} {found[TOTAL][key]}: the limit is {limit}" for key, limit in LIMITS.items() if found[TOTAL][key] > limit
    ]
    for module, own in found.items():
        for key, value in own.items():
            known = accepted.get(module, {}).get(key)
            if known is not None and value > max(known * GROWTH, known + SLACK):
                lines.append(f"{module} {key} {value}: accepted is {known}, growth above 10 % needs `--write`")
    unknown = sorted(set(found) - set(accepted))
    return lines + [f"{module}: not in {BUDGET.name}; run `--write`" for module in unknown]


def table(found: dict[str, Figures]) -> str:
    lines = [f"{'module':16s} {'ALM':>7s} {'M10K':>5s} {'FF':>7s} {'DSP':>4s}   (estimate)"]
    for name, own in found.items():
        lines.append(f"{name:16s} {own['alm']:7d} {own['m10k']:5d} {own['ff']:7d} {own['dsp']:4d}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Estimate the area on the Cyclone V.")
    parser.add_argument("--px", type=int, choices=(1, 2, 4), default=4, help="pixels at a time; the gate is for 4")
    parser.add_argument("--write", action="store_true", help="accept the figures")
    arguments = parser.parse_args()
    found = synthesise(arguments.px)
    print(table(found))
    if arguments.px != 4:
        return 0
    if arguments.write:
        BUDGET.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    accepted = json.loads(BUDGET.read_text("utf-8")) if BUDGET.exists() else {}
    wrong = excess(found, accepted)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
