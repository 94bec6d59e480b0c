# SPDX-License-Identifier: Apache-2.0
"""One register map, three readers: regs.toml becomes a SystemVerilog package, the driver's constants and a table.

`python -m fpga.registers` writes the files, `--check` writes nothing and fails when one differs.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = "fpga/regs.toml"
PACKAGE, DRIVER, README = "fpga/rtl/accel_regs_pkg.sv", "device/fpga/regs.py", "fpga/README.md"
MARKER = "<!-- registers -->"
MADE_BY = f"Generated from {SOURCE} by `python -m fpga.registers`; do not edit."
WORD_BYTES = 4
DRIVER_HEAD = f'''# SPDX-License-Identifier: Apache-2.0
"""Registers of the accelerator: byte offsets in the page, and fields.

{MADE_BY}
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """Bits of a register."""

    low: int
    width: int

    def of(self, word: int) -> int:
        """Return the value of this field in `word`."""
        return word >> self.low & ((1 << self.width) - 1)

'''


class RegisterError(Exception):
    """One sentence: what in the description or in the files made from it is wrong."""


@dataclass(frozen=True)
class Field:
    """Bits `high` to `low`, both included, of a register."""

    name: str
    high: int
    low: int
    meaning: str


@dataclass(frozen=True)
class Register:
    """One 32-bit word at byte `offset`; `access` is "ro" or "rw", as the processor sees it."""

    name: str
    offset: int
    access: str
    reset: int
    meaning: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Map:
    """The whole page."""

    page_bytes: int
    id: int
    version: int
    registers: tuple[Register, ...]


def read_map(text: str) -> Map:
    """Return the checked register map; raises RegisterError."""
    try:
        found = tomllib.loads(text)
        page = found["page"]
        registers = tuple(read_register(entry) for entry in found["register"])
        version = page["version_major"] << 16 | page["version_minor"]
        known = Map(page["bytes"], page["id"], version, registers)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise RegisterError(f"{SOURCE} is not a register map ({error!r})") from error
    check_map(known)
    return known


def read_register(entry: dict[str, Any]) -> Register:
    unknown = set(entry) - {"name", "offset", "access", "reset", "meaning", "fields"}
    require(not unknown, f"{entry['name']}: unknown keys {', '.join(sorted(unknown))}")
    fields = tuple(read_field(found) for found in entry.get("fields", []))
    return Register(entry["name"], entry["offset"], entry["access"], entry.get("reset", 0), entry["meaning"], fields)


def read_field(found: dict[str, Any]) -> Field:
    high, low = found["bits"]
    return Field(found["name"], high, low, found["meaning"])


def require(condition: bool, message: str) -> None:
    if not condition:
        raise RegisterError(f"{SOURCE}: {message}")


def check_map(known: Map) -> None:
    """Raise RegisterError for what no reader could use: places, names, bits."""
    end = 0
    names = {register.name for register in known.registers}
    require(len(names) == len(known.registers), "two registers have one name")
    for register in known.registers:
        name = register.name
        require(name.isidentifier() and name.isupper(), f"{name}: expected a name in capitals")
        require(register.access in ("ro", "rw"), f"{name}: expected access ro or rw, got {register.access}")
        is_placed = register.offset % WORD_BYTES == 0 and end <= register.offset < known.page_bytes
        require(is_placed, f"{name}: expected an offset of whole words, rising, in the page, got {register.offset:#x}")
        require(0 <= register.reset < 1 << 32, f"{name}: expected a reset value of 32 bits, got {register.reset:#x}")
        require("|" not in register.meaning, f"{name}: the meaning stands in a table and cannot hold a bar")
        end = register.offset + WORD_BYTES
        free = 0
        for field in register.fields:
            is_apart = free <= field.low <= field.high < 32
            require(is_apart, f"{name}.{field.name}: expected bits that rise, got {field.high}:{field.low}")
            free = field.high + 1
    resets = {register.name: register.reset for register in known.registers}
    is_told = (resets.get("ID"), resets.get("VERSION")) == (known.id, known.version)
    require(is_told, "the reset values of ID and VERSION are not those of [page]")


def package(known: Map) -> str:
    """Return the SystemVerilog package: word addresses, values, field positions; constants only, for old readers."""
    lines = ["// SPDX-License-Identifier: Apache-2.0", f"// {MADE_BY}", "package accel_regs_pkg;"]
    lines += [
        "  // Values of ID and VERSION.",
        f"  localparam logic [31:0] ID_VALUE = 32'h{known.id:08X};",
        f"  localparam logic [31:0] VERSION_VALUE = 32'h{known.version:08X};",
        "  // Word addresses: byte offset / 4.",
    ]
    for register in known.registers:
        place = f"{register.access}, byte offset 0x{register.offset:02X}"
        lines.append(f"  localparam logic [9:0] {register.name} = 10'h{register.offset // WORD_BYTES:03X};  // {place}")
    lines.append("  // Values after power-up of the registers that are written.")
    for register in known.registers:
        if register.access == "rw":
            lines.append(f"  localparam logic [31:0] {register.name}_RESET = 32'h{register.reset:08X};")
    lines.append("  // Fields: lowest bit and number of bits.")
    for register in known.registers:
        for field in register.fields:
            name = f"{register.name}_{field.name}"
            lines.append(f"  localparam int {name}_LSB = {field.low};")
            lines.append(f"  localparam int {name}_WIDTH = {field.high - field.low + 1};")
    return "\n".join([*lines, "endpackage", ""])


def driver(known: Map) -> str:
    """Return the driver's module: byte offsets, values, fields."""
    lines = [DRIVER_HEAD, f"PAGE_BYTES = {known.page_bytes}"]
    lines += [f"ID_VALUE = 0x{known.id:08X}", f"VERSION_VALUE = 0x{known.version:08X}", ""]
    lines += [f"{register.name} = 0x{register.offset:02X}" for register in known.registers]
    lines.append("")
    for register in known.registers:
        for field in register.fields:
            lines.append(f"{register.name}_{field.name} = Field({field.low}, {field.high - field.low + 1})")
    lines.append("")
    lines += ["REGISTERS = {", *[f'    "{r.name}": {r.name},' for r in known.registers], "}"]
    lines.append('"""Offsets by name; reading has no effect on any of them."""')
    return "\n".join([*lines, ""])


def table(known: Map) -> str:
    """Return the rows for the documentation."""
    lines = ["| offset | name | | after power-up | meaning |", "|--|--|--|--|--|"]
    for r in known.registers:
        has_value = r.access == "rw" or r.reset
        reset = f"0x{r.reset:08X}" if has_value else ""
        lines.append(f"| 0x{r.offset:02X} | {r.name} | {r.access} | {reset} | {r.meaning} |")
        for field in r.fields:
            bits = f"{field.high}:{field.low}" if field.high > field.low else f"{field.low}"
            lines.append(f"| | `{bits}` {field.name} | | | {field.meaning} |")
    return "\n".join(lines)


def with_table(document: str, rows: str) -> str:
    """Return `document` with `rows` between its two markers; raises RegisterError without exactly two."""
    parts = document.split(MARKER)
    if len(parts) != 3:
        raise RegisterError(f"{README}: expected two lines {MARKER} around the table, got {len(parts) - 1}")
    return f"{parts[0]}{MARKER}\n{rows}\n{MARKER}{parts[2]}"


def made_files(root: Path) -> dict[Path, str]:
    """Return {file: what it must hold}; the table only where the document is there."""
    known = read_map((root / SOURCE).read_text("utf-8"))
    files = {root / PACKAGE: package(known), root / DRIVER: driver(known)}
    document = root / README
    if document.exists():
        files[document] = with_table(document.read_text("utf-8"), table(known))
    return files


def stale_files(root: Path) -> dict[Path, str]:
    """Return the files that differ from what they must hold."""
    made = made_files(root)
    return {path: text for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text}


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Return the exit code: 0 done, 1 a stale file or a wrong description, 2 wrong usage."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m fpga.registers [--check]", file=sys.stderr)
        return 2
    try:
        stale = stale_files(root)
    except (RegisterError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in stale.items():
        if arguments:
            print(f"{path.relative_to(root)} is stale; run `python -m fpga.registers`", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(path.relative_to(root))
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
