# SPDX-License-Identifier: Apache-2.0
"""Programs and the bundle that holds several of them in one arena, with every check of it (specification, section 5).

Files are read and written in `bundle_file`, bundles are made in `linker`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from device.errors import AppError
from device.lowbit.descriptor import DST_WORD, N_WORDS, SRC_WORD, Descriptor, ErrorCode, Op, check_words
from device.lowbit.layout import LANES, MAX_DIGITS, can_copy, tensor_bytes, up4

FORMAT = 1
PAGE_BYTES = 4096
TENSOR_ALIGNMENT = 64
DESCRIPTOR_BYTES, RECORD_BYTES = 64, 16
MAX_RING_LOG2 = 10
MAX_SLOTS = 1024
MAX_ARENA_BYTES = 2**32 - PAGE_BYTES
CODES, RAW = 1, 2


class BundleError(AppError):
    """A bundle or a network that cannot become one; the message names the check, the program and the value."""


@dataclass(frozen=True)
class Port:
    """An input or output tensor (C, H, W): slot s lies at `offset + s * slot_pitch`.

    `uses` lists (descriptor, word) pairs to which a driver adds `s * slot_pitch`. Raw: real = scale * acc + bias.
    """

    name: str
    shape: tuple[int, int, int]
    offset: int = 0
    slots: int = 1
    slot_pitch: int = 0
    uses: tuple[tuple[int, int], ...] = ()
    digits: int = 1
    copies: int = 1  # of each channel of an input, beside each other
    raw: bool = False
    scale: tuple[float, ...] = ()
    bias: tuple[float, ...] = ()

    @property
    def n_bytes(self) -> int:
        """Bytes of one slot, row padding included."""
        channels, height, width = self.shape
        return tensor_bytes((channels * self.copies, height, width), self.digits, self.raw)


@dataclass(frozen=True)
class Program:
    """`n_descriptors` descriptors from `offset` on, and the tensors that go in and come out."""

    name: str
    offset: int
    n_descriptors: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    macs: int
    model_cycles: int

    @property
    def ports(self) -> tuple[Port, ...]:
        return self.inputs + self.outputs


@dataclass(frozen=True)
class Ring:
    """2**log2 descriptors at `offset` and as many records at `records`."""

    offset: int = 0
    log2: int = 6
    records: int = 4096


@dataclass(frozen=True, eq=False)
class Bundle:
    """The arena of several programs; `image` is its beginning: control region, descriptors, constants."""

    image: NDArray[np.uint8]
    sha256: str
    arena_bytes: int
    ring: Ring
    programs: dict[str, Program] = field(default_factory=dict)
    format: int = FORMAT

    def words(self, program: Program) -> NDArray[np.uint32]:
        """Return the (n, 16) words of a program as the file holds them: slot 0."""
        end = program.offset + program.n_descriptors * DESCRIPTOR_BYTES
        return self.image[program.offset : end].view("<u4").reshape(-1, N_WORDS).copy()

    def slot_words(self, program: Program, slot: int) -> NDArray[np.uint32]:
        """Return the words of a program with its tensors in `slot`, as a driver puts them into the ring."""
        words = self.words(program)
        for port in program.ports:
            if not 0 <= slot < port.slots:
                raise ValueError(f"{program.name}.{port.name}: expected slot 0..{port.slots - 1}, got {slot}")
            for index, word in port.uses:
                words[index, word] += np.uint32(slot * port.slot_pitch)
        return words

    def new_arena(self) -> NDArray[np.uint8]:
        """Return an arena in host memory with the image in it."""
        arena = np.zeros(self.arena_bytes, np.uint8)
        arena[: self.image.size] = self.image
        return arena


Span = tuple[int, int]
"""Start and end of a byte range."""


def check_bundle(bundle: Bundle, window_bytes: int | None = None) -> dict[str, int]:
    """Return the bytes of each region; raise BundleError at the first check of section 5 that fails.

    `window_bytes` is the memory a driver found, None for host memory.
    """
    check_image(bundle)
    check_sizes(bundle, window_bytes)
    decoded = {name: check_descriptors(bundle, program) for name, program in bundle.programs.items()}
    spans = region_spans(bundle, decoded)
    check_overlap(spans)
    for name, program in bundle.programs.items():
        check_reads(bundle, program, decoded[name])
    return report(spans)


def require(condition: bool, number: int, message: str) -> None:
    if not condition:
        raise BundleError(f"bundle check {number}: {message}")


def check_image(bundle: Bundle) -> None:
    """Check 1 without the descriptors."""
    require(bundle.format == FORMAT, 1, f"expected format {FORMAT}, got {bundle.format}")
    found = hashlib.sha256(bundle.image.tobytes()).hexdigest()
    require(found == bundle.sha256, 1, f"expected an image with sha256 {bundle.sha256}, got {found}")


def check_sizes(bundle: Bundle, window_bytes: int | None) -> None:
    """Check 2 without the descriptors, and check 5 for the lengths of programs."""
    arena, ring = bundle.arena_bytes, bundle.ring
    is_whole = 0 < arena <= MAX_ARENA_BYTES and arena % PAGE_BYTES == 0
    require(is_whole, 2, f"arena_bytes: expected a multiple of {PAGE_BYTES} below 4 GiB, got {arena}")
    if window_bytes is not None:
        require(arena <= window_bytes, 2, f"arena_bytes {arena} is above the {window_bytes} bytes of the device")
    require(bundle.image.size <= arena, 2, f"image: {bundle.image.size} bytes, arena_bytes is {arena}")
    require(1 <= ring.log2 <= MAX_RING_LOG2, 2, f"ring log2: expected 1..{MAX_RING_LOG2}, got {ring.log2}")
    check_span("ring", ring.offset, DESCRIPTOR_BYTES << ring.log2, arena)
    check_span("records", ring.records, RECORD_BYTES << ring.log2, arena)
    for name, program in bundle.programs.items():
        size = program.n_descriptors * DESCRIPTOR_BYTES
        fits = 1 <= program.n_descriptors <= 1 << ring.log2
        require(fits, 5, f"{name}: {program.n_descriptors} descriptors, the ring holds 1..{1 << ring.log2}")
        check_span(f"{name} descriptors", program.offset, size, bundle.image.size)
        for port in program.ports:
            check_port(f"{name}.{port.name}", port, arena)


def check_port(name: str, port: Port, arena_bytes: int) -> None:
    legal = len(port.shape) == 3 and min(port.shape) >= 1 and 1 <= port.digits <= MAX_DIGITS
    require(legal, 2, f"{name}: expected (C, H, W) and 1..4 digits, got {port.shape}, {port.digits}")
    is_copied = can_copy(port.shape[0], port.copies)
    require(is_copied, 2, f"{name}: {port.copies} copies of {port.shape[0]} channels do not fit a block")
    require(1 <= port.slots <= MAX_SLOTS, 2, f"{name}: expected 1..{MAX_SLOTS} slots, got {port.slots}")
    require(port.slot_pitch % TENSOR_ALIGNMENT == 0, 2, f"{name}: slot_pitch {port.slot_pitch} is not a multiple of 64")
    is_apart = port.slots == 1 or port.slot_pitch >= port.n_bytes
    require(is_apart, 3, f"{name}: slot_pitch {port.slot_pitch} is below the {port.n_bytes} bytes of a slot")
    check_span(name, port.offset, (port.slots - 1) * port.slot_pitch + port.n_bytes, arena_bytes)
    if port.raw:
        fits = len(port.scale) == len(port.bias) == port.shape[0]
        require(fits, 2, f"{name}: {len(port.scale)} scales, {len(port.bias)} biases, {port.shape[0]} channels")


def check_span(name: str, offset: int, n_bytes: int, limit: int) -> None:
    require(offset % TENSOR_ALIGNMENT == 0, 2, f"{name}: offset {offset} is not a multiple of {TENSOR_ALIGNMENT}")
    is_inside = offset >= 0 and offset + n_bytes <= limit
    require(is_inside, 2, f"{name}: bytes {offset} to {offset + n_bytes} are outside {limit}")


def check_descriptors(bundle: Bundle, program: Program) -> list[Descriptor]:
    """Checks 1, 2 and 5 of every descriptor; return them decoded."""
    numbers = {ErrorCode.BAD_ALIGN: 2, ErrorCode.OUT_OF_ARENA: 2, ErrorCode.BUFFER_FULL: 5}
    decoded = []
    for index, row in enumerate(bundle.words(program)):
        words = [int(word) for word in row]
        code = check_words(words, bundle.arena_bytes)
        require(code == ErrorCode.OK, numbers.get(code, 1), f"{program.name} descriptor {index}: {code.name}")
        d = Descriptor.decode(words)
        require(d.seq == 0, 1, f"{program.name} descriptor {index}: seq {d.seq}, a file holds 0")
        is_inside = d.op == Op.NOP or d.constants + d.constants_bytes <= bundle.image.size
        require(is_inside, 2, f"{program.name} descriptor {index}: constants at {d.constants} are outside the image")
        decoded.append(d)
    return decoded


def region_spans(bundle: Bundle, decoded: dict[str, list[Descriptor]]) -> dict[str, list[Span]]:
    """Return the byte ranges by owner; ranges of one owner may overlap, those of two must not (check 3)."""
    ring = bundle.ring
    spans: dict[str, list[Span]] = {
        "control ring": [(ring.offset, ring.offset + (DESCRIPTOR_BYTES << ring.log2))],
        "control records": [(ring.records, ring.records + (RECORD_BYTES << ring.log2))],
        "constants": [],
        "scratch": [],
    }
    for name, program in bundle.programs.items():
        table = (program.offset, program.offset + program.n_descriptors * DESCRIPTOR_BYTES)
        spans[f"constants: descriptors of {name}"] = [table]
        for kind, ports in (("inputs", program.inputs), ("outputs", program.outputs)):
            for port in ports:
                for slot in range(port.slots):
                    start = port.offset + slot * port.slot_pitch
                    spans[f"{kind}: {name}.{port.name} slot {slot}"] = [(start, start + port.n_bytes)]
        used = check_uses(program, decoded[name])
        for index, d in enumerate(decoded[name]):
            if d.op == Op.NOP:
                continue
            spans["constants"].append((d.constants, d.constants + d.constants_bytes))
            for word, planes in ((SRC_WORD, d.src_planes()), (DST_WORD, d.dst_planes())):
                spans["scratch"] += [] if (index, word) in used else planes
    return spans


def check_uses(program: Program, decoded: list[Descriptor]) -> set[tuple[int, int]]:
    """Return the (descriptor, word) pairs of all ports; each must point into slot 0 of its port (check 3)."""
    used: set[tuple[int, int]] = set()
    for port in program.ports:
        name, end = f"{program.name}.{port.name}", port.offset + port.n_bytes
        for index, word in port.uses:
            known = 0 <= index < len(decoded) and word in (SRC_WORD, DST_WORD) and decoded[index].op == Op.CONV
            require(
                known and (index, word) not in used, 3, f"{name}: use [{index}, {word}] is not an address of its own"
            )
            planes = decoded[index].src_planes() if word == SRC_WORD else decoded[index].dst_planes()
            is_inside = port.offset <= planes[0][0] and planes[-1][1] <= end
            require(is_inside, 3, f"{name}: use [{index}, {word}] leaves bytes {port.offset} to {end} of slot 0")
            used.add((index, word))
    return used


def merged(spans: list[Span]) -> list[Span]:
    """Return the union as disjoint ranges by rising start."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def check_overlap(spans: dict[str, list[Span]]) -> None:
    """Check 3: regions of different owners are disjoint."""
    flat = sorted((start, end, owner) for owner, own in spans.items() for start, end in merged(own))
    for (_, end, owner), (start, _, other) in pairwise(flat):
        require(end <= start, 3, f"{owner} and {other} overlap at byte {start}")


def check_reads(bundle: Bundle, program: Program, decoded: list[Descriptor]) -> None:
    """Check 4, with one flag per 8 bytes of the arena: what holds codes, what holds raw sums."""
    holds = np.zeros(bundle.arena_bytes // 8, np.uint8)
    for port in program.inputs:
        holds[port.offset // 8 : (port.offset + port.n_bytes) // 8] = CODES
    for index, d in enumerate(decoded):
        if d.op == Op.NOP:
            continue
        name = f"{program.name} descriptor {index}"
        reads = merged([*d.src_planes(), (d.constants, d.constants + d.constants_bytes)])
        both = sorted([*reads, *d.dst_planes()])
        is_apart = all(end <= start for (_, end), (start, _) in pairwise(both))
        require(is_apart, 4, f"{name}: what it writes overlaps what it reads or writes")
        for view in pixels(holds, d.src_planes(), d.h, d.w):
            require(bool((view == CODES).all()), 4, f"{name}: reads rows that nothing wrote before")
        height, width = d.stored_hw
        for view in pixels(holds, d.dst_planes(), height, width, LANES // 2 if d.raw else 1):
            view[...] = RAW if d.raw else CODES
    for port in program.outputs:
        _, height, width = port.shape
        step = port.n_bytes // tensor_bytes((1, height, width), 1, port.raw)
        size = port.n_bytes // step
        planes = [(port.offset + i * size, port.offset + (i + 1) * size) for i in range(step)]
        for view in pixels(holds, planes, height, width, LANES // 2 if port.raw else 1):
            is_written = bool((view == (RAW if port.raw else CODES)).all())
            require(is_written, 4, f"{program.name}.{port.name}: not every row of the output is written")


def pixels(
    holds: NDArray[np.uint8], planes: list[Span], height: int, width: int, words: int = 1
) -> Iterator[NDArray[np.uint8]]:
    """Yield (height, width * words) flags of each plane, row padding left out."""
    for start, end in planes:
        yield holds[start // 8 : end // 8].reshape(height, up4(width) * words)[:, : width * words]


def report(spans: dict[str, list[Span]]) -> dict[str, int]:
    """Return the bytes per region (check 6)."""
    regions: dict[str, list[Span]] = {name: [] for name in ("control", "constants", "scratch", "inputs", "outputs")}
    for owner, own in spans.items():
        kind = next(name for name in regions if owner.startswith(name))
        regions[kind] += own
    return {name: sum(end - start for start, end in merged(own)) for name, own in regions.items()}
