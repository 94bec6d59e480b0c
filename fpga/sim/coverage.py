# SPDX-License-Identifier: Apache-2.0
"""Which lines and signals of the RTL the tests reach: `python -m fpga.sim.coverage`.

Builds the unit with Verilator's counters, runs tests/fpga on it and prints a table by module. EDGE_COVERAGE names the
file that collects the counts of all boards of a process. Signals wider than 256 bits are not counted.
"""

from __future__ import annotations

import argparse
import atexit
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from fpga.sim.build import OUT, ROOT, Variant, build

VARIABLE = "EDGE_COVERAGE"
VARIANT = Variant(4, coverage=True)
LEAST_LINES = 0.95
"""Share of the lines that the tests must reach."""
POINT = re.compile(r"C '(.*)' (\d+)$")
TIMEOUT_S = 1500.0

Key = tuple[str, str, str]
"""Kind (line or toggle), module, place."""


class Tally:
    """Counts of the boards of this process, written when it ends. Instances of a module count together."""

    def __init__(self, path: Path) -> None:
        self._path, self._of_board = path, path.with_name(f"{path.name}.{os.getpid()}")
        self._keys: list[Key | None] = []
        self._counts: list[int] = []
        atexit.register(self.write)

    def board_file(self) -> Path:
        """Return where a board leaves its counts for `add`."""
        return self._of_board

    def add(self) -> None:
        """Add and remove the counts that a board has left; all boards have the same points in the same order."""
        found = [POINT.match(line) for line in self._of_board.read_text("latin-1").splitlines()]
        points = [point for point in found if point]
        self._keys = self._keys or [key_of(point[1]) for point in points]
        old = self._counts or [0] * len(points)
        self._counts = [n + int(point[2]) for n, point in zip(old, points, strict=True)]
        self._of_board.unlink()

    def write(self) -> None:
        total: Counter[Key] = Counter()
        for key, count in zip(self._keys, self._counts, strict=True):
            if key is not None:
                total[key] += count
        self._path.write_text("".join(f"{count} {' '.join(key)}\n" for key, count in sorted(total.items())))


def key_of(text: str) -> Key | None:
    """Return what a point of Verilator's file is about, None for points that are not of our modules."""
    fields = dict(part.split("\x02", 1) for part in text.split("\x01") if "\x02" in part)
    kind, _, module = fields["page"].partition("/")
    module = module.partition("__")[0]
    if not module.startswith("accel_"):
        return None
    place = f"{fields['l']}:{fields['n']}:{fields['o']}".replace(" ", "_")
    return ("toggle" if kind == "v_toggle" else "line"), module, place


def new_tally() -> Tally | None:
    """Return the tally that EDGE_COVERAGE asks for."""
    name = os.environ.get(VARIABLE, "")
    return Tally(Path(name)) if name else None


def shares(lines: Iterable[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return, by module and kind, how many points were reached, and of how many."""
    reached: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for line in lines:
        count, kind, module, _ = line.split(" ", 3)
        reached[module, kind].append(int(count) > 0)
        reached["total", kind].append(int(count) > 0)
    return {key: (sum(found), len(found)) for key, found in reached.items()}


def missed(lines: Iterable[str]) -> list[str]:
    """Return the lines of the RTL that nothing reached."""
    rows = [line.split(" ", 3) for line in lines]
    return [f"{module}.sv:{place.strip()}" for count, kind, module, place in rows if count == "0" and kind == "line"]


def table(found: dict[tuple[str, str], tuple[int, int]]) -> str:
    names = sorted({module for module, _ in found} - {"total"})
    rows = [f"{'simulated, by the tests':16s} {'lines':>16s} {'toggles':>16s}"]
    for name in [*names, "total"]:
        parts = [found.get((name, kind), (0, 0)) for kind in ("line", "toggle")]
        cells = [f"{n / max(total, 1):6.1%} of {total:5d}" for n, total in parts]
        rows.append(f"{name:16s} {cells[0]:>16s} {cells[1]:>16s}")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Lines and toggles of the RTL that tests/fpga reach.")
    parser.add_argument("tests", nargs="*", default=["tests/fpga"])
    arguments = parser.parse_args()
    build(VARIANT)
    collected = OUT / "coverage.txt"
    variables = {**os.environ, "EDGE_SIM": VARIANT.name, VARIABLE: str(collected)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments.tests]
    done = subprocess.run(command, cwd=ROOT, env=variables, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        print("coverage: the tests failed, see above; their figures would say nothing", file=sys.stderr)
        return 1
    lines = collected.read_text().splitlines()
    found = shares(lines)
    print(table(found))
    print("\n".join(f"not reached: {place}" for place in missed(lines)))
    reached, total = found["total", "line"]
    if reached < LEAST_LINES * total:
        print(f"coverage: expected {LEAST_LINES:.0%} of the lines, got {reached / total:.1%}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
