# SPDX-License-Identifier: Apache-2.0
"""The 64-byte layer descriptor of the low-bit machines and its checks (accelerator specification, sections 4 and 8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.lowbit.layout import LANES, code_row_bytes, constants_bytes, raw_row_bytes

N_WORDS = 16
TAG = 0xD1
MAX_SIDE_PX, MAX_BLOCKS, MAX_DIGITS = 1024, 32, 4
ACTIVATION_BYTES = 131_072
"""What the activation buffer of the machine holds."""
WEIGHT_STEPS = 288
"""Largest k*k*cb_in: depth of the weight buffer."""
SRC_WORD, DST_WORD, CONSTANTS_WORD = 4, 5, 6


class ErrorCode(IntEnum):
    """What running a list of descriptors answers; the first that applies, in this order."""

    OK = 0
    BAD_TAG = 1
    BAD_SEQ = 2
    BAD_OP = 3
    BAD_FIELD = 4
    BAD_ALIGN = 5
    BUFFER_FULL = 6
    OUT_OF_ARENA = 7
    TIMEOUT = 8
    RING_OVERRUN = 9
    BUS_ERROR = 10


class Op(IntEnum):
    NOP = 0
    CONV = 1


class Store(IntEnum):
    """How the codes of a layer are laid down."""

    PLAIN = 0
    SPACE_TO_DEPTH = 1
    UPSAMPLE = 2


FIELDS = {  # name: word, lowest bit, number of bits
    "op": (0, 0, 8),
    "irq": (0, 8, 1),
    "raw": (0, 9, 1),
    "store": (0, 10, 2),
    "tag": (0, 24, 8),
    "seq": (1, 0, 32),
    "job": (2, 0, 32),
    "limit": (3, 0, 32),
    "src": (SRC_WORD, 0, 32),
    "dst": (DST_WORD, 0, 32),
    "constants": (CONSTANTS_WORD, 0, 32),
    "src_pitch": (7, 0, 32),
    "dst_pitch": (8, 0, 32),
    "w": (9, 0, 11),
    "h": (9, 16, 11),
    "cb_in": (10, 0, 6),
    "cb_out": (10, 8, 6),
    "digits": (10, 16, 3),
    "k": (10, 20, 4),
    "pad_top": (10, 24, 1),
    "pad_bottom": (10, 25, 1),
    "pad_left": (10, 26, 1),
    "pad_right": (10, 27, 1),
}


def reserved_bits() -> tuple[int, ...]:
    """Return per word the bits that belong to no field."""
    masks = [0xFFFFFFFF] * N_WORDS
    for word, low, width in FIELDS.values():
        masks[word] &= ~(((1 << width) - 1) << low)
    return tuple(masks)


RESERVED = reserved_bits()


@dataclass(frozen=True)
class Descriptor:
    """One layer or one band of its rows. Offsets and pitches in bytes of the arena, h and w in input pixels."""

    src: int = 0
    dst: int = 0
    constants: int = 0
    src_pitch: int = 0
    dst_pitch: int = 0
    w: int = 0
    h: int = 0
    cb_in: int = 0
    cb_out: int = 0
    digits: int = 0
    k: int = 0
    pad_top: int = 0
    pad_bottom: int = 0
    pad_left: int = 0
    pad_right: int = 0
    store: int = Store.PLAIN
    raw: int = 0
    irq: int = 0
    op: int = Op.CONV
    seq: int = 0
    job: int = 0
    limit: int = 0
    tag: int = TAG

    def encode(self) -> NDArray[np.uint32]:
        """Return the 16 words; raises ValueError for a value that does not fit the bits of its field."""
        words = [0] * N_WORDS
        for field in fields(self):
            word, low, width = FIELDS[field.name]
            value = int(getattr(self, field.name))
            if not 0 <= value < 1 << width:
                raise ValueError(f"descriptor field {field.name}: expected 0..{(1 << width) - 1}, got {value}")
            words[word] |= value << low
        return np.array(words, "<u4")

    @classmethod
    def decode(cls, words: Iterable[Any]) -> Descriptor:
        """Return the fields of 16 words; reserved bits are not kept (`check_words` refuses them)."""
        known = [int(word) for word in words]
        return cls(**{name: known[word] >> low & ((1 << width) - 1) for name, (word, low, width) in FIELDS.items()})

    @property
    def out_hw(self) -> tuple[int, int]:
        """Rows and columns of the convolution, before the store mode."""
        return (
            self.h + self.pad_top + self.pad_bottom - self.k + 1,
            self.w + self.pad_left + self.pad_right - self.k + 1,
        )

    @property
    def stored_hw(self) -> tuple[int, int]:
        """Rows and columns of the planes that are written."""
        height, width = self.out_hw
        if self.store == Store.SPACE_TO_DEPTH:
            return height // 2, width // 2
        return (2 * height, 2 * width) if self.store == Store.UPSAMPLE else (height, width)

    @property
    def n_src_planes(self) -> int:
        return self.cb_in * self.digits

    @property
    def n_dst_planes(self) -> int:
        return self.cb_out * (4 if self.store == Store.SPACE_TO_DEPTH else 1)

    @property
    def src_plane_bytes(self) -> int:
        return self.h * code_row_bytes(self.w)

    @property
    def dst_plane_bytes(self) -> int:
        height, width = self.stored_hw
        return height * (raw_row_bytes(width) if self.raw else code_row_bytes(width))

    @property
    def constants_bytes(self) -> int:
        return constants_bytes(self.k, self.cb_in, self.cb_out, bool(self.raw))

    @property
    def macs(self) -> int:
        """Multiplications of the lanes, those that hold no channel included."""
        height, width = self.out_hw
        return height * width * self.k * self.k * self.cb_in * self.cb_out * LANES * LANES

    def src_planes(self) -> list[tuple[int, int]]:
        """Return (start, end) in bytes of every plane that is read."""
        starts = [self.src + plane * self.src_pitch for plane in range(self.n_src_planes)]
        return [(start, start + self.src_plane_bytes) for start in starts]

    def dst_planes(self) -> list[tuple[int, int]]:
        """Return (start, end) in bytes of every plane that is written, row padding included."""
        starts = [self.dst + plane * self.dst_pitch for plane in range(self.n_dst_planes)]
        return [(start, start + self.dst_plane_bytes) for start in starts]

    def check(self, arena_bytes: int) -> ErrorCode:
        """Return the first error of section 8 that applies, or OK; raises ValueError like `encode`."""
        return check_words([int(word) for word in self.encode()], arena_bytes)


def encode_all(descriptors: Sequence[Descriptor]) -> NDArray[np.uint32]:
    """Return the (n, 16) words of a program."""
    return np.array([descriptor.encode() for descriptor in descriptors], "<u4").reshape(-1, N_WORDS)


def check_words(words: Sequence[int], arena_bytes: int) -> ErrorCode:
    """Return the first error of section 8 that applies to 16 words; seq belongs to the ring and is not looked at."""
    d = Descriptor.decode(words)
    if d.tag != TAG:
        return ErrorCode.BAD_TAG
    if d.op not in (Op.NOP, Op.CONV):
        return ErrorCode.BAD_OP
    if any(word & mask for word, mask in zip(words, RESERVED, strict=True)):
        return ErrorCode.BAD_FIELD
    if d.op == Op.NOP:  # word 0 keeps tag, irq and op; words 4 to 15 are zero
        return ErrorCode.BAD_FIELD if d.raw or d.store or any(words[SRC_WORD:]) else ErrorCode.OK
    if not fields_are_legal(d):
        return ErrorCode.BAD_FIELD
    if (d.src | d.dst | d.src_pitch | d.dst_pitch) % 32 or d.constants % 64:
        return ErrorCode.BAD_ALIGN
    if d.src_plane_bytes * d.n_src_planes > ACTIVATION_BYTES or d.k * d.k * d.cb_in > WEIGHT_STEPS:
        return ErrorCode.BUFFER_FULL
    ends = (d.src_planes()[-1][1], d.dst_planes()[-1][1], d.constants + d.constants_bytes)
    return ErrorCode.OUT_OF_ARENA if max(ends) > arena_bytes else ErrorCode.OK


def fields_are_legal(d: Descriptor) -> bool:
    """Tell whether the fields of a CONV and their combination keep the limits of section 4."""
    if d.store not in tuple(Store) or (d.raw and d.store != Store.PLAIN) or d.k not in (1, 3):
        return False
    pads = d.pad_top | d.pad_bottom | d.pad_left | d.pad_right
    ranges = (
        (1 <= d.w <= MAX_SIDE_PX)
        and (1 <= d.h <= MAX_SIDE_PX)
        and (1 <= d.cb_in <= MAX_BLOCKS)
        and (1 <= d.cb_out <= MAX_BLOCKS)
        and (1 <= d.digits <= MAX_DIGITS)
    )
    if not ranges or (d.k == 1 and pads):
        return False
    height, width = d.out_hw
    is_even = height % 2 == 0 and width % 2 == 0
    return height >= 1 and width >= 1 and (d.store != Store.SPACE_TO_DEPTH or is_even)
