# SPDX-License-Identifier: Apache-2.0
"""Build one module with Icarus and run its bench in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

SEED = 1
TAIL_LINES = 30


def missing_tool() -> str:
    """Return what keeps the benches from running, in words; empty where nothing does."""
    if find_spec("cocotb") is None:
        return "the unit benches need the Python package cocotb; install requirements-fpga.txt"
    if shutil.which("iverilog") is None:
        return "the unit benches need Icarus Verilog (iverilog)"
    from find_libpython import find_libpython  # it comes with cocotb

    return "" if find_libpython() else "cocotb needs Python's shared library (libpython)"


def run_bench(module: str, sources: list[Path], parameters: Mapping[str, int], folder: Path) -> str:
    """Return what `bench_<module>` has to say against `accel_<module>`; empty where every test passed."""
    from cocotb_tools.runner import get_runner

    top, log, results = f"accel_{module}", folder / "bench.log", folder / "results.xml"
    runner = get_runner("icarus")
    runner.build(
        sources=sources,
        hdl_toplevel=top,
        parameters=parameters,
        build_args=["-g2012"],
        timescale=("1ns", "1ps"),
        build_dir=folder,
        log_file=folder / "build.log",
    )
    try:
        runner.test(
            test_module=f"tests.fpga.unit.bench_{module}",
            hdl_toplevel=top,
            seed=SEED,
            extra_env={"COCOTB_MAX_FAILURES": "1"},
            build_dir=folder,
            results_xml=str(results),
            log_file=log,
        )
    except (SystemExit, RuntimeError):
        return f"{first_failure(results) or 'no result'}, seed {SEED}\n{story(log)}"
    name = first_failure(results)
    return f"{name}, seed {SEED}\n{story(log)}" if name else ""


def first_failure(results: Path) -> str:
    """Return the first failed test of a JUnit file; those behind it have not been run."""
    cases = ElementTree.parse(results).getroot().iter("testcase") if results.is_file() else ()
    return next((f"{case.get('name')} failed" for case in cases if case.find("failure") is not None), "")


def story(log: Path) -> str:
    """Return what a log tells from the first failed test on, or its last lines."""
    lines = log.read_text("utf-8").splitlines() if log.is_file() else []
    start = next((i for i, line in enumerate(lines) if "WARNING" in line and line.endswith(" failed")), -TAIL_LINES)
    return "\n".join(lines[start:][:TAIL_LINES])
