# SPDX-License-Identifier: Apache-2.0
"""Finds the accelerator of this computer and opens it: UIO and u-dma-buf, /dev/mem, or a file in their place."""

from __future__ import annotations

import logging
import os
import re
import struct
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from device.errors import BackendError, BackendUnavailable
from device.fpga.driver import Accelerator
from device.fpga.engine import HARDWARE, Patience
from device.fpga.lock import DeviceLock
from device.fpga.mmio import PAGE_BYTES, Window
from device.fpga.regs import PAGE_BYTES as REGISTER_BYTES

log = logging.getLogger(__name__)

VARIABLE = "EDGE_FPGA"
REGISTERS_AT = 0xFF200000
"""Lightweight bridge of the Cyclone V: registers of the FPGA side."""
ARENA_AT, ARENA_BYTES = 0x3C000000, 0x2000000
"""Reserved memory of the board image. What lies behind the arena in that region is the picture's."""
FILE_PID_AT = 0xFE0
"""Byte of the register page, behind all registers, where the owner of a stand-in file leaves its pid."""
LOCK = "run/lock/accel.lock"
MARKER = "fpga=ok"
"""On the kernel's command line: U-Boot loaded a bitstream. A read of the bridge without one stops the processor."""
WRITE_COMBINE = "2"
"""sync_mode of u-dma-buf: not cached, but stores are combined."""
NUMBER = r"(0x[0-9a-fA-F]+|\d+)"
PLACES = re.compile(rf"(.*?)(?::{NUMBER},{NUMBER},{NUMBER})?", re.DOTALL)
SOURCES = ("uio", "devmem")
"""What `auto` tries, in this order. Never a file: a simulation is only what somebody asked for."""


@dataclass(frozen=True)
class Place:
    """Where registers and memory of an accelerator are mapped from; `arena_base` is the memory's physical address."""

    registers: Path
    registers_at: int
    arena: Path
    arena_at: int
    arena_base: int
    arena_bytes: int
    lock: Path
    lock_pid_at: int = 0
    is_file: bool = False

    @property
    def text(self) -> str:
        return f"registers {self.registers}, {self.arena_bytes / 2**20:.0f} MiB of {self.arena}"


def chosen_device() -> str:
    """Return the accelerator that EDGE_FPGA names, "auto" without it."""
    return os.environ.get(VARIABLE, "") or "auto"


def open_accelerator(
    device: str = "auto",
    *,
    root: Path = Path("/"),
    patience: Patience = HARDWARE,
    check_alive: Callable[[], None] = lambda: None,
) -> Accelerator:
    """Open "uio", "devmem[:REGS,ARENA,SIZE]", "file:PATH[:REGS,ARENA,SIZE]", or "auto": uio, else devmem.

    Raises BackendUnavailable with every reason; BitstreamMismatch, DeviceTimeout from the unit. Tests set `root`.
    """
    reasons = []
    for source in SOURCES if device == "auto" else (device,):
        try:
            return open_place(find_place(source, root), patience, check_alive)
        except BackendError as error:
            if device != "auto":
                raise
            log.info("accelerator %s not used: %s", source, error)
            reasons.append(f"{source}: {error}")
    raise BackendUnavailable(f"no accelerator here ({'; '.join(reasons)})")


def describe_accelerator(device: str = "auto", root: Path = Path("/")) -> str:
    """Return what `open_accelerator` would map, without touching it; raises BackendUnavailable with the reasons."""
    reasons = []
    for source in SOURCES if device == "auto" else (device,):
        try:
            return find_place(source, root).text
        except BackendUnavailable as error:
            reasons.append(f"{source}: {error}")
    raise BackendUnavailable(f"no accelerator here ({'; '.join(reasons)})")


def find_place(source: str, root: Path) -> Place:
    """Return where the accelerator of `source` lies; raises BackendUnavailable with the reason in words."""
    kind, _, rest = source.partition(":")
    if source == "uio":
        return find_uio(root)
    if kind == "devmem":
        return find_devmem(root, f":{rest}" if rest else "")
    if kind == "file" and rest:
        return find_file(rest)
    raise BackendUnavailable(
        f"accelerator {source!r}: expected auto, uio, devmem[:REGS,ARENA,SIZE] or file:PATH[:REGS,ARENA,SIZE]"
    )


def parse_places(text: str) -> tuple[str, tuple[int, int, int]]:
    """Return what stands in front of ":REGS,ARENA,SIZE" and the three numbers, those of the board without them."""
    found = PLACES.fullmatch(text)
    if found is None or found[2] is None:
        return text, (REGISTERS_AT, ARENA_AT, ARENA_BYTES)
    return found[1], (int(found[2], 0), int(found[3], 0), int(found[4], 0))


def find_file(text: str) -> Place:
    name, (registers, arena, size) = parse_places(text)
    path = Path(name)
    return Place(path, registers, path, arena, arena, size, path, registers + FILE_PID_AT, is_file=True)


def find_uio(root: Path) -> Place:
    """Return the UIO device whose name holds "accel", and the u-dma-buf of that name or the only one."""
    name, uio = choose(root, ("sys/class/uio",), lambda folder: read_text(folder / "name"))
    buffer_name, buffer = choose(root, ("sys/class/u-dma-buf", "sys/class/udmabuf"), lambda folder: folder.name)
    size = read_number(uio / "maps/map0/size")
    if size < REGISTER_BYTES:
        raise BackendUnavailable(f"{uio}: map 0 of {name} has {size} bytes, registers need {REGISTER_BYTES}")
    set_write_combine(buffer)
    size, base = read_number(buffer / "size"), read_number(buffer / "phys_addr")
    arena = root / "dev" / buffer_name
    return Place(root / "dev" / uio.name, 0, arena, 0, base, size // PAGE_BYTES * PAGE_BYTES, root / LOCK)


def choose(root: Path, classes: tuple[str, ...], name_of: Callable[[Path], str]) -> tuple[str, Path]:
    """Return (name, folder) of the device named after the accelerator, or of the only one."""
    found = [(name_of(folder), folder) for where in classes for folder in sorted((root / where).glob("*"))]
    named = [entry for entry in found if "accel" in entry[0]] or (found if len(found) == 1 else [])
    if not named:
        there = f"there are {', '.join(name for name, _ in found)}" if found else "there is none"
        raise BackendUnavailable(f"no device named accel in {' or '.join(str(root / c) for c in classes)}, {there}")
    return named[0]


def set_write_combine(buffer: Path) -> None:
    """Have /dev/udmabufN mapped uncached and write-combining: the unit sees no cache."""
    mode = buffer / "sync_mode"
    if read_text(mode) == WRITE_COMBINE:
        return
    try:
        mode.write_text(WRITE_COMBINE)
    except OSError as error:
        raise BackendUnavailable(
            f"{mode} is {read_text(mode)}, expected {WRITE_COMBINE}, and cannot be set ({error.strerror}); "
            f"as root: echo {WRITE_COMBINE} > {mode}"
        ) from error


def find_devmem(root: Path, places: str) -> Place:
    """Return the device tree's reserved memory behind /dev/mem, once the command line says there is a bitstream."""
    command_line = root / "proc/cmdline"
    if MARKER not in read_text(command_line).split():
        raise BackendUnavailable(
            f"{command_line} has no {MARKER}: U-Boot loaded no bitstream, and without one a read of the registers "
            "stops the processor"
        )
    rest, (registers, base, size) = parse_places(places)
    if rest:
        raise BackendUnavailable(f"devmem{places}: expected devmem:REGS,ARENA,SIZE")
    if not places:
        base, size = reserved_memory(root / "proc/device-tree/reserved-memory")
    memory = root / "dev/mem"
    return Place(memory, registers, memory, base, base, min(size, ARENA_BYTES) if not places else size, root / LOCK)


def reserved_memory(folder: Path) -> tuple[int, int]:
    """Return (address, bytes) of the region accel@... or fpga@...; cells are big-endian, one or two a number."""
    nodes = sorted(folder.glob("accel@*")) + sorted(folder.glob("fpga@*"))
    if not nodes:
        raise BackendUnavailable(f"no region accel@... or fpga@... in {folder}; the device tree reserves no memory")
    cells = read_bytes(nodes[0] / "reg")
    form = {8: ">II", 16: ">QQ"}.get(len(cells))
    if form is None:
        raise BackendUnavailable(f"{nodes[0] / 'reg'}: expected one address and one size, got {len(cells)} bytes")
    address, size = struct.unpack(form, cells)
    return int(address), int(size)


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BackendUnavailable(f"{path} cannot be read ({error.strerror})") from error


def read_text(path: Path) -> str:
    return read_bytes(path).decode("ascii", "replace").strip("\0\n ")


def read_number(path: Path) -> int:
    text = read_text(path)
    try:
        return int(text, 0)
    except ValueError as error:
        raise BackendUnavailable(f"{path}: expected a number, got {text!r}") from error


def open_place(place: Place, patience: Patience, check_alive: Callable[[], None]) -> Accelerator:
    """Lock, map and check the accelerator; everything is given back when that fails."""
    with ExitStack() as stack:
        lock = DeviceLock(place.lock, place.lock_pid_at, create=not place.is_file)
        stack.callback(lock.close)
        registers = Window(place.registers, place.registers_at, REGISTER_BYTES)
        stack.callback(registers.close)
        arena = Window(place.arena, place.arena_at, place.arena_bytes)
        stack.callback(arena.close)
        accelerator = Accelerator(registers, arena, place.arena_base, patience=patience, check_alive=check_alive)
        accelerator.at_close(stack.pop_all().close)
    log.info("accelerator: %s, %d pixels, built for %d Hz", place.text, accelerator.identity.px, accelerator.clock_hz)
    return accelerator
