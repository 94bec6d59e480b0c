# SPDX-License-Identifier: Apache-2.0
"""Golden files of the low-bit machine, written by the emulator: `python -m tests.device.lowbit.golden`.

Every machine (emulator, C kernels on each CPU, hardware) must reproduce them. `golden.json` lists the records, one a
line, `golden.bin` holds the arenas before the run behind each other, as they are: no compression, so that any tool
reads them and two versions of a library cannot write different files.

legal:   name; words: descriptors, 16 words of 8 hex digits each; arena: [first byte in golden.bin, number of bytes];
         after: SHA-256 of the whole arena when all descriptors have run. The error code is 0.
illegal: name; words of one descriptor; code: the error it must get, in an arena of `illegal_arena_bytes`.

Bytes that belong to nothing, row padding included, are 0xA5. All numbers come from SHAKE-128 of the record's name:
random generators of libraries change from version to version.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.lowbit import emulator
from device.lowbit.descriptor import N_WORDS, Descriptor, ErrorCode, Store, encode_all
from device.lowbit.layout import THRESHOLD_MAX, THRESHOLD_MIN, pack_codes, pack_constants
from tests.device.lowbit.cases import FILL, place
from tests.device.lowbit.illegal import ARENA_BYTES, illegal

FOLDER = Path(__file__).parents[2] / "data" / "lowbit"
FORMAT = 1
PADS = ("pad_top", "pad_bottom", "pad_left", "pad_right")
STORES = {"plain": (0, Store.PLAIN), "depth": (0, Store.SPACE_TO_DEPTH), "twice": (0, Store.UPSAMPLE), "raw": (1, 0)}


@dataclass(frozen=True, eq=False)
class Legal:
    """A program, its arena before the run, and the SHA-256 of the arena after it."""

    name: str
    words: NDArray[np.uint32]
    arena: NDArray[np.uint8]
    after: str


@dataclass(frozen=True, eq=False)
class Illegal:
    """A descriptor and the error it must get."""

    name: str
    words: NDArray[np.uint32]
    code: ErrorCode


class Numbers:
    """Numbers that depend on a name only; each call goes on where the last one stopped."""

    def __init__(self, name: str) -> None:
        self.name, self.calls = name, 0

    def array(self, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
        """Return integers from `low` to `high`, both included; nearly uniform."""
        count = int(np.prod(shape))
        octets = hashlib.shake_128(f"{self.name}:{self.calls}".encode()).digest(8 * count)
        self.calls += 1
        return (np.frombuffer(octets, "<u8") % np.uint64(high - low + 1)).astype(np.int64).reshape(shape) + low

    def one(self, low: int, high: int) -> int:
        return int(self.array((1,), low, high)[0])


def legal() -> Iterator[Legal]:
    """Yield all legal records."""
    for index, digits in enumerate((1, 2, 3, 4)):
        for store_index, store in enumerate(STORES):
            for k in (1, 3):
                name = f"k{k} {store} digits {digits}"
                yield one_layer(name, random_shape(Numbers(name), k, store, digits, 4 * index + store_index))
    yield one_layer("a channel block that is zero", replace(SMALL, cb_in=2), zero_lanes=range(32, 64))
    yield one_layer("3 channels", replace(SMALL, digits=4), zero_lanes=range(3, 32))
    yield one_layer("all inputs zero", replace(SMALL, raw=1), zero_lanes=range(32))
    yield one_layer("pitches with gaps", replace(SMALL, cb_in=2, cb_out=2, digits=2), spare_bytes=(64, 96))
    yield one_layer("16 bits do not hold the sums", replace(SMALL, w=4, h=3, cb_in=4, digits=4))
    yield largest_sum()
    yield unsorted_thresholds()
    yield bands()
    yield three_layers()


SMALL = Descriptor(w=5, h=4, cb_in=1, cb_out=1, digits=1, k=3, pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)


def random_shape(numbers: Numbers, k: int, store: str, digits: int, pads: int) -> Descriptor:
    """Return a CONV without addresses; `pads` has one bit for each side."""
    raw, mode = STORES[store]
    sides = [pads >> bit & 1 if k == 3 else 0 for bit in range(4)]
    at_least = max(1, sides[0] + sides[1] + 2 - k, sides[2] + sides[3] + 2 - k)  # one row and column of input
    height, width = numbers.one(at_least, 4 if raw else 7), numbers.one(at_least, 5 if raw else 9)
    if mode == Store.SPACE_TO_DEPTH:
        height, width = height + height % 2, width + width % 2
    cb_in, cb_out = numbers.one(1, 3 if k == 1 else 2), numbers.one(1, 2)
    shape = Descriptor(cb_in=cb_in, cb_out=cb_out, digits=digits, k=k, raw=raw, store=mode)
    h, w = height + k - 1 - sides[0] - sides[1], width + k - 1 - sides[2] - sides[3]
    return replace(shape, h=h, w=w, **dict(zip(PADS, sides, strict=True)))


def one_layer(
    name: str, shape: Descriptor, zero_lanes: range = range(0), spare_bytes: tuple[int, int] = (0, 0)
) -> Legal:
    """Return a record of one random layer."""
    d, n_bytes = place(shape, spare_bytes)
    arena = np.full(n_bytes, FILL, np.uint8)
    numbers = Numbers(name)
    write_constants(arena, d, numbers)
    values = numbers.array((32 * d.cb_in, d.h, d.w), 0, 4**d.digits - 1)
    values[zero_lanes.start : zero_lanes.stop] = 0
    write_input(arena, d, values)
    return recorded(name, [d], arena)


def write_constants(arena: NDArray[np.uint8], d: Descriptor, numbers: Numbers) -> None:
    """Fill in random weights and thresholds; one channel in eight is always 3, one always 0."""
    weights = (2 * numbers.array((32 * d.cb_out, 32 * d.cb_in, d.k, d.k), 0, 1) - 1).astype(np.int8)
    reach = 2 * 4**d.digits * d.k * d.cb_in
    limits = np.sort(numbers.array((32 * d.cb_out, 3), -reach, reach), axis=1)
    kind = numbers.array((32 * d.cb_out,), 0, 7)
    limits[kind == 0], limits[kind == 1] = THRESHOLD_MIN, THRESHOLD_MAX
    stream = pack_constants(weights, None if d.raw else limits.astype(np.int32))
    arena[d.constants : d.constants + stream.size] = stream


def write_input(arena: NDArray[np.uint8], d: Descriptor, values: NDArray[np.int64]) -> None:
    """Store the input; its row padding stays 0xA5."""
    planes = pack_codes(values, d.digits).reshape(d.n_src_planes, d.h, -1)
    for plane, (start, end) in zip(planes, d.src_planes(), strict=True):
        arena[start:end].view("<u8").reshape(d.h, -1)[:, : d.w] = plane[:, : d.w]


def recorded(name: str, descriptors: list[Descriptor], arena: NDArray[np.uint8]) -> Legal:
    """Run the emulator on a copy and keep the hash of what it leaves."""
    words, after = encode_all(descriptors), arena.copy()
    code = emulator.run(after, words)
    if code != ErrorCode.OK:
        raise ValueError(f"golden record {name}: expected a legal program, the emulator answers {code.name}")
    return Legal(name, words, arena, hashlib.sha256(after.tobytes()).hexdigest())


def largest_sum() -> Legal:
    """All weights and values at their largest, on one window of two blocks."""
    d, n_bytes = place(Descriptor(w=3, h=3, cb_in=2, cb_out=1, digits=4, k=3, raw=1))
    return recorded("largest sum", [d], np.full(n_bytes, 0xFF, np.uint8))


def unsorted_thresholds() -> Legal:
    """Every threshold counts by itself, whatever their order and size."""
    d, n_bytes = place(Descriptor(w=6, h=2, cb_in=1, cb_out=1, digits=1, k=1))
    name = "unsorted thresholds"
    arena, numbers = np.full(n_bytes, FILL, np.uint8), Numbers(name)
    write_constants(arena, d, numbers)
    limits = arena[d.constants_bytes - 512 : d.constants_bytes].view("<i4")
    limits[:] = numbers.array((128,), -20, 20)
    limits[::7], limits[::9] = 2**31 - 1, -(2**31)
    write_input(arena, d, numbers.array((32, d.h, d.w), 0, 3))
    return recorded(name, [d], arena)


def bands() -> Legal:
    """One layer in three bands of rows, with a NOP between: halo rows, pads at the tensor's edges only."""
    name = "three bands and a NOP"
    d, n_bytes = place(replace(SMALL, h=8, cb_out=2, digits=2, store=int(Store.SPACE_TO_DEPTH), pad_right=0))
    arena, numbers = np.full(n_bytes, FILL, np.uint8), Numbers(name)
    write_constants(arena, d, numbers)
    write_input(arena, d, numbers.array((32, d.h, d.w), 0, 15))
    row, stored_row = d.src_plane_bytes // d.h, d.dst_plane_bytes // d.stored_hw[0]
    cut = []
    for y0, y1 in ((0, 2), (2, 6), (6, 8)):
        top, bottom = min(1, y0), min(1, 8 - y1)
        band = replace(d, src=d.src + (y0 - top) * row, dst=d.dst + y0 // 2 * stored_row, h=y1 - y0 + top + bottom)
        cut.append(replace(band, pad_top=1 - top, pad_bottom=1 - bottom))
    return recorded(name, [cut[0], Descriptor(op=0), *cut[1:]], arena)


def three_layers() -> Legal:
    """Each layer reads what the one before stored; the last leaves sums."""
    name = "three layers"
    numbers = Numbers(name)
    shapes = [
        replace(SMALL, w=6, h=6, digits=4, store=int(Store.SPACE_TO_DEPTH)),
        replace(SMALL, w=3, h=3, cb_in=4),
        Descriptor(w=3, h=3, cb_in=1, cb_out=1, digits=1, k=3, raw=1),
    ]
    placed: list[Descriptor] = []
    at = 0
    for shape in shapes:
        own, n_bytes = place(shape)
        placed.append(replace(own, constants=at, src=own.src + at, dst=own.dst + at))
        at += -(-n_bytes // 64) * 64
    chain = [placed[0], *(replace(d, src=before.dst) for before, d in pairwise(placed))]
    arena = np.full(at, FILL, np.uint8)
    for d in chain:
        write_constants(arena, d, numbers)
    write_input(arena, chain[0], numbers.array((32, 6, 6), 0, 255))
    return recorded(name, chain, arena)


def encoded() -> dict[str, bytes]:
    """Return the content of both files by name."""
    lines, arenas, at = [], [], 0
    for record in legal():
        entry = {"name": record.name, "words": shown(record.words), "arena": [at, record.arena.size]}
        lines.append(json.dumps({**entry, "after": record.after}))
        arenas.append(record.arena.tobytes())
        at += record.arena.size
    refused = [
        json.dumps({"name": name, "words": shown(words[None]), "code": int(code)})
        for name, (words, code) in illegal().items()
    ]
    head = f'{{"format": {FORMAT}, "illegal_arena_bytes": {ARENA_BYTES},\n'
    index = f'{head}"legal": [\n{joined(lines)}],\n"illegal": [\n{joined(refused)}]}}\n'
    return {"golden.json": index.encode(), "golden.bin": b"".join(arenas)}


def joined(lines: list[str]) -> str:
    return ",\n".join(lines)


def shown(words: NDArray[np.uint32]) -> str:
    return " ".join(f"{int(word):08x}" for word in words.reshape(-1))


def load(folder: Path = FOLDER) -> tuple[list[Legal], list[Illegal]]:
    """Return the records of the files."""
    index = json.loads((folder / "golden.json").read_text())
    arenas = np.frombuffer((folder / "golden.bin").read_bytes(), np.uint8)
    if index["format"] != FORMAT:
        raise ValueError(f"{folder}/golden.json: expected format {FORMAT}, got {index['format']}; run `make golden`")
    runs = [
        Legal(entry["name"], words_of(entry), arenas[start : start + size].copy(), entry["after"])
        for entry in index["legal"]
        for start, size in [entry["arena"]]
    ]
    return runs, [Illegal(entry["name"], words_of(entry), ErrorCode(entry["code"])) for entry in index["illegal"]]


def words_of(entry: dict[str, Any]) -> NDArray[np.uint32]:
    return np.array([int(word, 16) for word in entry["words"].split()], "<u4").reshape(-1, N_WORDS)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in encoded().items():
        (FOLDER / name).write_bytes(content)
        print(f"{FOLDER / name}: {len(content)} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
