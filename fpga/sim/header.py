# SPDX-License-Identifier: Apache-2.0
"""The register map for the C++ of the simulation, made from `fpga/regs.toml` like every other reader's."""

from __future__ import annotations

from fpga.registers import ROOT, SOURCE, read_map

TRIGGERS = ("GENERATION", "TAIL")
"""A driver stores them last, so the simulation looks at them first."""
RESULTS = ("CURRENT_GENERATION", "HEAD", "STATUS", "IRQ_COUNT")
"""What a driver waits for, in the order of reading; published in the reverse, behind all others."""


def register_header() -> str:
    """Return the text of registers.h: offsets, masks of fields, the registers to watch and those to publish."""
    registers = read_map((ROOT / SOURCE).read_text("utf-8")).registers
    lines = ["// Made by fpga/sim/header.py.", "#pragma once", "#include <cstdint>", "namespace reg {"]
    for register in registers:
        lines.append(f"constexpr uint32_t {register.name} = 0x{register.offset:02X};")
        for field in register.fields:
            mask = (1 << field.high - field.low + 1) - 1 << field.low
            lines.append(f"constexpr uint32_t {register.name}_{field.name}_MASK = 0x{mask:08X};")
    writable = [register.name for register in registers if register.access == "rw"]
    readable = [register.name for register in registers if register.access == "ro"]
    lines.append(f"constexpr uint32_t kWritable[] = {{{ordered(TRIGGERS, writable)}}};")
    lines.append(f"constexpr uint32_t kReadable[] = {{{ordered(RESULTS, readable)}}};")
    return "\n".join([*lines, "}", ""])


def ordered(first: tuple[str, ...], names: list[str]) -> str:
    return ", ".join([*first, *(name for name in names if name not in first)])
