# SPDX-License-Identifier: Apache-2.0
"""What the unit behind the registers says it is, and whether this driver fits it."""

from __future__ import annotations

from dataclasses import dataclass

from device.errors import BackendError
from device.fpga import regs
from device.fpga.mmio import Window
from device.lowbit.descriptor import ACTIVATION_BYTES, WEIGHT_STEPS
from device.lowbit.layout import LANES

BUS_PATTERNS = (0x00000000, 0xFFFFFFFF, 0xA5A5A5A5, 0x5A5A5A5A, 0x01234567)
BUS_BYTES = 8
LEAST_HZ, MOST_HZ = 1_000_000, 1_000_000_000


class BitstreamMismatch(BackendError):
    """The FPGA holds something else than this driver was made for."""


@dataclass(frozen=True)
class Identity:
    """The array works on `px` pixels at a time; `clock_hz` is what the bitstream was built for, not a measurement."""

    version: int
    px: int
    clock_hz: int


def identify(registers: Window) -> Identity:
    """Return what the unit is; raises BitstreamMismatch, or BackendError for a bus that loses bits."""
    found, version = registers.read(regs.ID), registers.read(regs.VERSION)
    if found != regs.ID_VALUE:
        raise BitstreamMismatch(
            f"{registers.path}: accelerator id {found:#010x}, expected {regs.ID_VALUE:#010x}; load our bitstream"
        )
    check_version(registers, version)
    px, lanes_in, lanes_out, bus_bytes = (
        field.of(registers.read(regs.CAPS0))
        for field in (regs.CAPS0_PX, regs.CAPS0_LANES_IN, regs.CAPS0_LANES_OUT, regs.CAPS0_BUS_BYTES)
    )
    if px not in (1, 2, 4) or (lanes_in, lanes_out, bus_bytes) != (LANES, LANES, BUS_BYTES):
        raise BitstreamMismatch(
            f"{registers.path}: an array of {px} pixels, {lanes_in} x {lanes_out} channels and a bus of {bus_bytes} "
            f"bytes, expected 1, 2 or 4 pixels, {LANES} x {LANES} channels and {BUS_BYTES} bytes; load our bitstream"
        )
    check_buffers(registers)
    clock_hz = registers.read(regs.CLOCK_HZ)
    if not LEAST_HZ <= clock_hz <= MOST_HZ:  # waits are counted in clocks
        raise BitstreamMismatch(
            f"{registers.path}: a clock of {clock_hz} Hz, expected 1 MHz to 1 GHz; load our bitstream"
        )
    check_bus(registers)
    return Identity(version, px, clock_hz)


def check_version(registers: Window, version: int) -> None:
    major, minor = regs.VERSION_MAJOR.of(version), regs.VERSION_MINOR.of(version)
    wanted = regs.VERSION_MAJOR.of(regs.VERSION_VALUE), regs.VERSION_MINOR.of(regs.VERSION_VALUE)
    if major != wanted[0] or minor < wanted[1]:
        raise BitstreamMismatch(
            f"{registers.path}: accelerator version {major}.{minor}, the driver needs {wanted[0]}.{wanted[1]} "
            f"or a later {wanted[0]}; load the bitstream of this release"
        )


def check_buffers(registers: Window) -> None:
    """Programs are compiled for the limits of section 4: a unit with less cannot run them."""
    caps = registers.read(regs.CAPS1)
    kib, words = regs.CAPS1_ACTIVATION_KIB.of(caps), regs.CAPS1_WEIGHT_WORDS.of(caps)
    if kib * 1024 < ACTIVATION_BYTES or words < WEIGHT_STEPS:
        raise BitstreamMismatch(
            f"{registers.path}: buffers of {kib} KiB and {words} weight words, programs need "
            f"{ACTIVATION_BYTES // 1024} KiB and {WEIGHT_STEPS}; load our bitstream"
        )


def check_bus(registers: Window) -> None:
    """Write and read SCRATCH."""
    for pattern in BUS_PATTERNS:
        registers.write(regs.SCRATCH, pattern)
        found = registers.read(regs.SCRATCH)
        if found != pattern:
            raise BackendError(
                f"{registers.path}: SCRATCH holds {found:#010x} after writing {pattern:#010x}; the bus to the "
                "accelerator loses bits, reload the bitstream"
            )
