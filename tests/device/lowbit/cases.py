# SPDX-License-Identifier: Apache-2.0
"""Random legal layers in an arena of their own, and the arithmetic of section 2 as plain loops over int64."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device.lowbit.descriptor import Descriptor, Store, encode_all
from device.lowbit.layout import code_row_bytes, pack_codes, pack_constants, raw_row_bytes

FILL = 0xA5


@dataclass(frozen=True, eq=False)
class Case:
    """One layer: its numbers, and the same in an arena."""

    x: NDArray[np.int64]
    weights: NDArray[np.int8]
    thresholds: NDArray[np.int32]
    descriptor: Descriptor
    arena: NDArray[np.uint8]

    @property
    def words(self) -> NDArray[np.uint32]:
        return encode_all([self.descriptor])


def up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def random_shape(rng: np.random.Generator, most_px: int = 9, most_blocks: int = 3) -> Descriptor:
    """Return a legal CONV without addresses."""
    while True:
        k, raw, store = int(rng.choice([1, 3])), int(rng.random() < 0.3), int(rng.integers(0, 3))
        top, bottom, left, right = (int(v) for v in rng.integers(0, 2, 4) * (k == 3))
        h, w = (int(v) for v in rng.integers(1, most_px + 1, 2))
        cb_in, cb_out = (int(v) for v in rng.integers(1, most_blocks + 1, 2))
        shape = Descriptor(w=w, h=h, cb_in=cb_in, cb_out=cb_out, digits=int(rng.integers(1, 5)), k=k)
        pads = {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}
        shape = replace(shape, **pads, raw=raw, store=0 if raw else store)
        height, width = shape.out_hw
        if min(height, width) >= 1 and (shape.store != Store.SPACE_TO_DEPTH or height % 2 == width % 2 == 0):
            return shape


def place(shape: Descriptor, spare_bytes: tuple[int, int] = (0, 0)) -> tuple[Descriptor, int]:
    """Return `shape` with constants, source and target behind each other, and the bytes of the arena."""
    width = shape.stored_hw[1]
    src_pitch = shape.h * code_row_bytes(shape.w) + spare_bytes[0]
    row = raw_row_bytes(width) if shape.raw else code_row_bytes(width)
    dst_pitch = shape.stored_hw[0] * row + spare_bytes[1]
    src = up(shape.constants_bytes, 64)
    dst = src + shape.n_src_planes * src_pitch
    placed = replace(shape, src=src, dst=dst, src_pitch=src_pitch, dst_pitch=dst_pitch)
    return placed, dst + shape.n_dst_planes * dst_pitch


def make_case(rng: np.random.Generator, shape: Descriptor, spare_bytes: tuple[int, int] = (0, 0)) -> Case:
    """Fill an arena with random inputs and constants; all other bytes, row padding included, are FILL."""
    d, arena_bytes = place(shape, spare_bytes)
    x = rng.integers(0, 4**d.digits, (32 * d.cb_in, d.h, d.w))
    weights = rng.choice(np.array([-1, 1], np.int8), (32 * d.cb_out, 32 * d.cb_in, d.k, d.k))
    spread = 8 * 4**d.digits * d.k * int(np.sqrt(d.cb_in))
    thresholds = np.sort(rng.integers(-spread, spread + 1, (32 * d.cb_out, 3)), axis=1).astype(np.int32)
    thresholds[rng.random(len(thresholds)) < 0.1] = -(2**23)
    thresholds[rng.random(len(thresholds)) < 0.1] = 2**23 - 1
    arena = np.full(arena_bytes, FILL, np.uint8)
    stream = pack_constants(weights, None if d.raw else thresholds)
    arena[: stream.size] = stream
    planes = pack_codes(x, d.digits)
    planes[..., d.w :] = 0xA5A5A5A5A5A5A5A5
    for plane, (start, end) in zip(planes.reshape(d.n_src_planes, -1), d.src_planes(), strict=True):
        arena[start:end] = plane.view(np.uint8)
    return Case(x, weights, thresholds, d, arena)


def naive_acc(case: Case) -> NDArray[np.int64]:
    """Return (32 * cb_out, rows, columns) sums, pixel by pixel."""
    d = case.descriptor
    height, width = d.out_hw
    acc = np.zeros((32 * d.cb_out, height, width), np.int64)
    for y in range(height):
        for x in range(width):
            for ky in range(d.k):
                for kx in range(d.k):
                    row, column = y + ky - d.pad_top, x + kx - d.pad_left
                    if 0 <= row < d.h and 0 <= column < d.w:
                        acc[:, y, x] += case.weights[:, :, ky, kx].astype(np.int64) @ case.x[:, row, column]
    return acc


def naive_arena(case: Case) -> NDArray[np.uint8]:
    """Return the arena after the layer, word by word."""
    d, arena, acc = case.descriptor, case.arena.copy(), naive_acc(case)
    codes = (acc[:, None] >= case.thresholds[:, :, None, None]).sum(1)
    height, width = d.out_hw
    for block in range(d.cb_out):
        for y in range(height):
            for x in range(width):
                if d.raw:
                    at = d.dst + block * d.dst_pitch + y * raw_row_bytes(width) + x * 128
                    arena[at : at + 128] = acc[32 * block : 32 * block + 32, y, x].astype("<i4").view(np.uint8)
                    continue
                word = 0
                for lane in range(32):
                    code = int(codes[32 * block + lane, y, x])
                    word |= (code & 1) << lane | (code >> 1) << (32 + lane)
                for plane, row, column in targets(d, block, y, x):
                    at = d.dst + plane * d.dst_pitch + row * code_row_bytes(d.stored_hw[1]) + column * 8
                    arena[at : at + 8] = np.frombuffer(word.to_bytes(8, "little"), np.uint8)
    return arena


def targets(d: Descriptor, block: int, y: int, x: int) -> list[tuple[int, int, int]]:
    """Return (plane, row, column) of every place where the code of a pixel goes."""
    if d.store == Store.SPACE_TO_DEPTH:
        return [((2 * (y % 2) + x % 2) * d.cb_out + block, y // 2, x // 2)]
    if d.store == Store.UPSAMPLE:
        return [(block, 2 * y + dy, 2 * x + dx) for dy in (0, 1) for dx in (0, 1)]
    return [(block, y, x)]
