# SPDX-License-Identifier: Apache-2.0
"""Cross builds for the Cortex-A9 and runs of them in QEMU.

The CPU is always named: QEMU's default one has instructions (VFPv4) that a Cortex-A9 lacks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from device.lowbit.library import KERNELS

HERE = Path(__file__).parent
COMPILER = "arm-linux-gnueabihf-gcc"
DISASSEMBLER = "arm-linux-gnueabihf-objdump"
QEMU = "qemu-arm"
PACKAGES = "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user"
FLAGS = ("-O3", "-mcpu=cortex-a9", "-mfpu=neon", "-mfloat-abi=hard", "-static", "-std=gnu11", "-Wall", "-Wextra")
BUILD_TIMEOUT_S = 120.0
RUN_TIMEOUT_S = 600.0
FIRST_API_2 = 9
"""QEMU from this major version on takes plug-ins of interface version 2 only."""


def missing_tools() -> str:
    """Return a sentence that names what this machine lacks, or an empty string."""
    lacking = [name for name in (COMPILER, DISASSEMBLER, QEMU) if shutil.which(name) is None]
    return f"{' and '.join(lacking)} not found: install {PACKAGES}" if lacking else ""


def call(command: Sequence[str | Path], timeout_s: float, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command; raises RuntimeError with what it complained about."""
    done = subprocess.run(command, input=given, capture_output=True, timeout=timeout_s, env=bare_environment())
    if done.returncode != 0:
        complaint = done.stderr.decode(errors="replace").strip()[-2000:]
        raise RuntimeError(f"{command[0]}: expected exit code 0, got {done.returncode} ({complaint})")
    return done


def bare_environment() -> dict[str, str]:
    """Return the environment of all runs: start-up code reads it, so that its size would change the counts."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def build(name: str, folder: Path, *more: str, sources: Sequence[Path] = ()) -> Path:
    """Compile `name`.c of this folder and `sources` for the Cortex-A9."""
    made = folder / name
    command: list[str | Path] = [COMPILER, *FLAGS, *more, "-I", KERNELS, HERE / f"{name}.c", *sources]
    call([*command, "-o", made], BUILD_TIMEOUT_S)
    return made


def build_arena_driver(folder: Path) -> Path:
    return build("arena_driver", folder, sources=[KERNELS / "accel_cpu.c"])


def build_counter(folder: Path) -> Path:
    """Compile the plug-in that counts, for the QEMU of this machine."""
    printed = call([QEMU, "--version"], BUILD_TIMEOUT_S).stdout.decode()
    version = re.search(r"version (\d+)", printed)
    api = 2 if version and int(version[1]) >= FIRST_API_2 else 1
    made = folder / "instruction_count.so"
    flags = ("-O2", "-Wall", "-Wextra", "-shared", "-fPIC", f"-DQEMU_API={api}")
    command: list[str | Path] = [os.environ.get("CC", "cc"), *flags, HERE / "instruction_count.c"]
    call([*command, "-o", made], BUILD_TIMEOUT_S)
    return made


def emulate(program: Path, given: bytes) -> bytes:
    """Return what `program` prints on an emulated Cortex-A9."""
    return call([QEMU, "-cpu", "cortex-a9", program], RUN_TIMEOUT_S, given).stdout


def count_instructions(counter: Path, program: Path, given: bytes) -> int:
    """Return the instructions that `program` executes from its start to its end."""
    command: list[str | Path] = [QEMU, "-cpu", "cortex-a9", "-seed", "1", "-plugin", counter, "-d", "plugin"]
    printed = call([*command, program], RUN_TIMEOUT_S, given).stderr.decode()
    found = re.search(r"^instructions (\d+)$", printed, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the plug-in of {QEMU}: expected a line 'instructions N', got {printed[-200:]!r}")
    return int(found[1])
