# SPDX-License-Identifier: Apache-2.0
"""Instructions of a network on an emulated Cortex-A9: at low bits and in float.

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
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.lowbit import emulator
from device.lowbit.descriptor import Descriptor
from device.lowbit.library import Level
from models.card import load_card
from tests.arm import flow_shape
from tests.arm.expression_shape import (
    FloatLayer,
    evaluate_float,
    float_input,
    float_layers,
    loaded_arena,
    low_bit_network,
)
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


@dataclass(frozen=True, eq=False)
class Subject:
    """What is counted: descriptor words on an arena, and the float layers; as a chain, or each by itself."""

    arena: NDArray[np.uint8]
    words: NDArray[np.uint32]
    float_layers: tuple[FloatLayer, ...]
    is_chain: bool


def expression() -> Subject:
    """Return the expression network with random numbers."""
    _, arena, words = loaded_arena(low_bit_network())
    return Subject(arena, words, float_layers(), is_chain=True)


def flow() -> Subject:
    """Return the flow network as committed; its float layers are counted one by one and added up."""
    arena, words = flow_shape.loaded_arena()
    width = int(load_card("flow_float").fields["training"]["recipe"]["width"])
    return Subject(arena, words, flow_shape.float_layers(width), is_chain=False)


SUBJECTS = {"expression": expression, "flow": flow}


@dataclass(frozen=True)
class Figures:
    """Instructions of one evaluation, of the whole network and of each layer by itself."""

    flags: tuple[str, ...]
    network: float
    layers: tuple[float, ...]


def count_low_bit(subject: Subject, level: Level, counter: Path, driver: Path, runs: int) -> Figures:
    """Count one kernel; raises RuntimeError when it does not leave the arena of the emulator."""
    arena, words = subject.arena, subject.words
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

    layers = tuple(count(rows, LAYER_RUNS) for rows in layer_rows(words))
    return Figures(FLAGS, count(slice(None), runs), layers)


def layer_rows(words: NDArray[np.uint32]) -> list[slice]:
    """Return the descriptors of each layer: bands of its rows that follow each other and share their constants."""
    constants = [Descriptor.decode([int(word) for word in row]).constants for row in words]
    starts = [i for i, address in enumerate(constants) if i == 0 or address != constants[i - 1]]
    return [slice(start, end) for start, end in pairwise([*starts, len(words)])]


def count_float(subject: Subject, more: tuple[str, ...], counter: Path, folder: Path, runs: int) -> Figures:
    """Count the float network; raises RuntimeError when its output is not that of float64."""
    program, layers, is_one_block = build("float_network", folder, *more), subject.float_layers, bool(more)
    for chain in [layers] if subject.is_chain else [(layer,) for layer in layers]:
        x = float_input(chain[0])
        found = float_output(emulate(program, float_job(chain, x, 1, is_one_block)), chain[-1])
        error = float(np.abs(found - evaluate_float(chain, x)).max())
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
    network = count(slice(None), runs) if subject.is_chain else sum(by_layer)
    return Figures((*FLAGS, *more), network, by_layer)


def measure(subject: Subject, runs: int) -> dict[str, Figures]:
    """Return the figures of all variants."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counter, driver = build_counter(folder), build_arena_driver(folder)
        found = {}
        for variant, level in LOW_BIT_VARIANTS.items():
            print(f"counting {variant}", file=sys.stderr)
            found[variant] = count_low_bit(subject, level, counter, driver, runs)
        for variant, more in FLOAT_VARIANTS.items():
            print(f"counting {variant}", file=sys.stderr)
            found[variant] = count_float(subject, more, counter, folder, runs)
    return found


def report(subject: Subject, found: dict[str, Figures], runs: int) -> dict[str, object]:
    """Return all that belongs to the figures as one JSON object."""
    low, layers = found["w1a2 NEON"].network, subject.float_layers
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


def table(subject: Subject, found: dict[str, Figures]) -> str:
    """Return thousands of instructions, a row for each layer."""
    layers = subject.float_layers
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
    parser.add_argument("--net", choices=list(SUBJECTS), default="expression")
    parser.add_argument("--runs", type=int, default=11, help="evaluations of the longer of two runs (default 11)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args(argv)
    if arguments.runs < 2:
        parser.error(f"--runs: expected 2 or more, got {arguments.runs}")
    if lacking := missing_tools():
        print(lacking, file=sys.stderr)
        return 1
    subject = SUBJECTS[arguments.net]()
    found = measure(subject, arguments.runs)
    print(table(subject, found))
    for name, figures in found.items():
        print(f"{name}: {COMPILER} {' '.join(figures.flags)}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report(subject, found, arguments.runs), indent=1) + "\n")
    ratio = found["float"].network / found["w1a2 NEON"].network
    if ratio < GATE:
        print(f"expected float to take {GATE:.0f} times the instructions of w1a2, got {ratio:.1f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
