# SPDX-License-Identifier: Apache-2.0
"""Instructions of the expression network on an emulated Cortex-A9: at low bits and in float.

Counts repeat exactly, but they are not cycles: QEMU knows no cache, no pipeline and no memory. A figure is what
`runs` evaluations take beyond one, divided by runs - 1, so that the start of the program does not count.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.lowbit import emulator
from device.lowbit.library import Level
from tests.arm.expression_shape import evaluate_float, float_input, float_layers, loaded_arena, low_bit_network
from tests.arm.jobs import ArenaJob, float_job, float_output, split_answers
from tests.arm.toolchain import (
    COMPILER,
    FLAGS,
    QEMU,
    build,
    build_arena_driver,
    build_counter,
    call,
    count_instructions,
    emulate,
    missing_tools,
)

GATE = 10.0
"""At low bits the network takes at most a tenth of the instructions of the float network."""
LAYER_RUNS = 3
FLOAT_TOLERANCE = 1e-4
FLOAT_VARIANTS = {"float": (), "float, vectors": ("-ffast-math", "-DINPUTS=8")}
"""NEON rounds differently from IEEE floats: compilers use it for floats only when told that this does not matter."""
LOW_BIT_VARIANTS = {"w1a2 NEON": Level.NEON, "w1a2 plain C": Level.PLAIN}


@dataclass(frozen=True)
class Figures:
    """Instructions of one evaluation, of the whole network and of each layer by itself."""

    flags: tuple[str, ...]
    network: float
    layers: tuple[float, ...]


def count_low_bit(level: Level, counter: Path, driver: Path, runs: int) -> Figures:
    """Count one kernel; raises RuntimeError when it does not leave the arena of the emulator."""
    _, arena, words = loaded_arena(low_bit_network())
    expected = arena.copy()
    emulator.run(expected, words)
    job = ArenaJob(arena, words, level)
    ((code, found),) = split_answers(emulate(driver, job.encode()), [job])
    if code != 0 or not np.array_equal(found, expected):
        raise RuntimeError(f"{level.name}: expected the arena of the emulator, got another one (code {code})")

    def count(rows: slice, n: int) -> float:
        """Every layer reads what the emulator left: the arena after the whole network."""
        streams = [ArenaJob(expected, words[rows], level, times).encode() for times in (1, n)]
        first, all_runs = (count_instructions(counter, driver, stream) for stream in streams)
        return (all_runs - first) / (n - 1)

    layers = tuple(count(slice(i, i + 1), LAYER_RUNS) for i in range(len(words)))
    return Figures(FLAGS, count(slice(None), runs), layers)


def count_float(more: tuple[str, ...], counter: Path, folder: Path, runs: int) -> Figures:
    """Count the float network; raises RuntimeError when its output is not that of float64."""
    program, layers = build("float_network", folder, *more), float_layers()
    is_one_block, x = bool(more), float_input(layers[0])
    found = float_output(emulate(program, float_job(layers, x, 1, is_one_block)), layers[-1])
    error = float(np.abs(found - evaluate_float(layers, x)).max())
    if not error < FLOAT_TOLERANCE:
        raise RuntimeError(
            f"float network: expected float64's output within {FLOAT_TOLERANCE}, got an error of {error}"
        )

    def count(rows: slice, n: int) -> float:
        first = float_input(layers[rows][0])
        streams = [float_job(layers[rows], first, times, is_one_block) for times in (1, n)]
        start, all_runs = (count_instructions(counter, program, stream) for stream in streams)
        return (all_runs - start) / (n - 1)

    by_layer = tuple(count(slice(i, i + 1), LAYER_RUNS) for i in range(len(layers)))
    return Figures((*FLAGS, *more), count(slice(None), runs), by_layer)


def measure(runs: int) -> dict[str, Figures]:
    """Return the figures of all variants."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counter, driver = build_counter(folder), build_arena_driver(folder)
        found = {}
        for variant, level in LOW_BIT_VARIANTS.items():
            print(f"counting {variant}", file=sys.stderr)
            found[variant] = count_low_bit(level, counter, driver, runs)
        for variant, more in FLOAT_VARIANTS.items():
            print(f"counting {variant}", file=sys.stderr)
            found[variant] = count_float(more, counter, folder, runs)
    return found


def report(found: dict[str, Figures], runs: int) -> dict[str, object]:
    """Return all that belongs to the figures as one JSON object."""
    low = found["w1a2 NEON"].network
    layers = float_layers()
    return {
        "machine": f"{QEMU} -cpu cortex-a9",
        "qemu": first_line([QEMU, "--version"]),
        "compiler": first_line([COMPILER, "--version"]),
        "runs": runs,
        "multiply_adds": sum(layer.macs for layer in layers),
        "instructions": {
            name: {
                "flags": " ".join(figures.flags),
                "network": round(figures.network),
                "layers": {layer.name: round(count) for layer, count in zip(layers, figures.layers, strict=True)},
                "times w1a2 NEON": round(figures.network / low, 2),
            }
            for name, figures in found.items()
        },
    }


def first_line(command: list[str]) -> str:
    return call(command, 60.0).stdout.decode().splitlines()[0]


def table(found: dict[str, Figures]) -> str:
    """Return thousands of instructions, a row for each layer."""
    layers = float_layers()
    low = found["w1a2 NEON"].network
    rows = [["1000 instructions", "1000 MAC", *found]]
    for i, layer in enumerate(layers):
        rows.append([layer.name, f"{layer.macs / 1e3:,.0f}", *(f"{f.layers[i] / 1e3:,.0f}" for f in found.values())])
    macs = sum(layer.macs for layer in layers)
    rows.append(["network", f"{macs / 1e3:,.0f}", *(f"{f.network / 1e3:,.0f}" for f in found.values())])
    rows.append(["times w1a2 NEON", "", *(f"{f.network / low:.1f}" for f in found.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    aligned = [
        [f"{row[0]:{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))] for row in rows
    ]
    return "\n".join("  ".join(row) for row in aligned)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.arm.count", description="count instructions on a Cortex-A9")
    parser.add_argument("--runs", type=int, default=11, help="evaluations of the longer of two runs (default 11)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args(argv)
    if arguments.runs < 2:
        parser.error(f"--runs: expected 2 or more, got {arguments.runs}")
    if lacking := missing_tools():
        print(lacking, file=sys.stderr)
        return 1
    found = measure(arguments.runs)
    print(table(found))
    for name, figures in found.items():
        print(f"{name}: {COMPILER} {' '.join(figures.flags)}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report(found, arguments.runs), indent=1) + "\n")
    ratio = found["float"].network / found["w1a2 NEON"].network
    if ratio < GATE:
        print(f"expected float to take {GATE:.0f} times the instructions of w1a2, got {ratio:.1f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
