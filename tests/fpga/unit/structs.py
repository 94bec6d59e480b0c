# SPDX-License-Identifier: Apache-2.0
"""The packed structs of accel_pkg, read from it: a simulator shows their ports as one number."""

from __future__ import annotations

import re
from functools import cache

from fpga.sim.build import RTL

STRUCT = re.compile(r"typedef struct packed \{(.*?)\} (\w+);", re.DOTALL)
MEMBERS = re.compile(r"^\s*(\w+)\s*(?:\[(\d+):0\])?\s*(\w+(?:,\s*\w+)*);", re.MULTILINE)


@cache
def structs() -> dict[str, dict[str, int]]:
    """Return the widths of the fields of every struct, highest first; structs in structs are laid flat."""
    found: dict[str, dict[str, int]] = {}
    for body, name in STRUCT.findall((RTL / "accel_pkg.sv").read_text("utf-8")):
        fields: dict[str, int] = {}
        for kind, high, names in MEMBERS.findall(body):
            for field in names.split(","):
                fields |= found[kind] if kind in found else {field.strip(): int(high or 0) + 1}
        found[name] = fields
    return found


def pack(struct: str, **values: int) -> int:
    """Return the number that a port of this type takes; fields not named are 0."""
    widths, number = structs()[struct], 0
    unknown = set(values) - set(widths)
    assert not unknown, f"{struct} has no {unknown}"
    for field, width in widths.items():
        value = values.get(field, 0)
        assert 0 <= value < 1 << width, f"{struct}.{field}: {value} does not fit {width} bits"
        number = number << width | value
    return number


def unpack(struct: str, number: int) -> dict[str, int]:
    """Return the fields of what a port of this type shows."""
    values = {}
    for field, width in reversed(structs()[struct].items()):
        values[field] = number & ((1 << width) - 1)
        number >>= width
    return values
