# SPDX-License-Identifier: Apache-2.0
"""The drawings of the modules stand in their sources; `python -m fpga.modules` copies them into fpga/README.md.

`--check` writes nothing and fails when the page is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"
MARKER = "<!-- modules -->"
FIRST = ("accel_top", "accel_regs", "accel_ring", "accel_check", "accel_bus", "accel_load", "accel_steps")
"""In the order of the way of a layer; the others follow by name."""


def heading(source: Path) -> str:
    """Return the comment in front of a module, without its licence line and slashes."""
    lines = source.read_text().splitlines()[1:]
    end = next(i for i, line in enumerate(lines) if not line.startswith("//"))
    return "\n".join(line.removeprefix("//").removeprefix(" ") for line in lines[:end])


def sections() -> str:
    """Return the part of the page that is made here."""
    known = {path.stem: path for path in (HERE / "rtl").glob("accel_*.sv") if not path.stem.endswith("_pkg")}
    names = [*FIRST, *sorted(set(known) - set(FIRST))]
    return "\n".join(f"\n### {name}\n```\n{heading(known[name])}\n```" for name in names) + "\n"


def page(old: str) -> str:
    """Return the page with its part made anew; raises ValueError unless it has both markers."""
    parts = old.split(MARKER)
    if len(parts) != 3:
        raise ValueError(f"{README.name}: expected two lines {MARKER}, found {len(parts) - 1}; put them back")
    return f"{parts[0]}{MARKER}\n{sections()}{MARKER}{parts[2]}"


def main(arguments: list[str]) -> int:
    old = README.read_text()
    new = page(old)
    if arguments == ["--check"]:
        if new != old:
            print(f"fpga/{README.name} is stale; type `python -m fpga.modules`", file=sys.stderr)
        return int(new != old)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
