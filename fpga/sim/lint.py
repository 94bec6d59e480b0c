# SPDX-License-Identifier: Apache-2.0
"""Read the RTL with three tools and let no warning pass: `python -m fpga.sim.lint`.

Verilator -Wall for every PX with the exceptions of lint.vlt, Icarus where it is installed, yosys with its own check.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from device.errors import BackendUnavailable
from fpga.sim.build import HERE, TOP, find_tools, rtl_sources, verilator

WAIVERS = HERE / "lint.vlt"
PIXELS = (1, 2, 4)
TIMEOUT_S = 600.0
YOSYS = "import sys; from pyosys import libyosys as ys; d = ys.Design(); [ys.run_pass(p, d) for p in sys.argv[1:]]"
"""A process of its own: an error of yosys ends the one it happens in."""
COMPLAINT = re.compile(r"%(Warning|Error)|\b(warning|error)\b *:", re.IGNORECASE)


def lint(folder: Path | None = None) -> list[str]:
    """Return what the tools complain of in the RTL, one line each; raises BackendUnavailable without a tool."""
    sources = rtl_sources(folder) if folder else rtl_sources()
    found = []
    for px in PIXELS:
        found += [f"PX={px} verilator: {line}" for line in verilate(sources, px)]
        found += [f"PX={px} yosys: {line}" for line in check_with_yosys(sources, px)]
        if shutil.which("iverilog"):
            found += [f"PX={px} iverilog: {line}" for line in check_with_icarus(sources, px)]
    return found


def verilate(sources: list[Path], px: int) -> list[str]:
    tools = find_tools()
    command = [*verilator(tools), "--lint-only", "-Wall", "--top-module", TOP, f"-GPX={px}", str(WAIVERS)]
    return complaints([*command, *map(str, sources)], VERILATOR_ROOT=str(tools.verilator_root))


def check_with_icarus(sources: list[Path], px: int) -> list[str]:
    options = ["-g2012", "-Wall", "-t", "null", "-s", TOP, f"-P{TOP}.PX={px}"]
    return complaints(["iverilog", *options, *map(str, sources)])


def check_with_yosys(sources: list[Path], px: int) -> list[str]:
    files = " ".join(map(str, sources))
    read = f"read_slang {files} --top {TOP} -G PX={px} --keep-hierarchy"
    return complaints([sys.executable, "-c", YOSYS, read, "proc", "check -assert"])


def complaints(command: list[str], **variables: str) -> list[str]:
    """Run a tool and return its lines with a warning or an error; its last line where it fails without one."""
    try:
        done = subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendUnavailable(f"{Path(command[0]).name} cannot be run ({error})") from error
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if any("No module named 'pyosys'" in line for line in lines):
        raise BackendUnavailable("the check needs the Python package pyosys; install requirements-fpga.txt")
    found = [line for line in lines if COMPLAINT.search(line)]
    return found or (lines[-1:] or [f"exit code {done.returncode}"] if done.returncode else [])


def main() -> int:
    try:
        found = lint()
    except BackendUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    for line in found:
        print(line, file=sys.stderr)
    tools = ["Verilator", "yosys", *(["Icarus"] if shutil.which("iverilog") else [])]
    print(f"{', '.join(tools)} at {'/'.join(map(str, PIXELS))} pixels: {len(found)} warnings")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
