# SPDX-License-Identifier: Apache-2.0
"""One descriptor per row of section 4 and code of section 8 that the machines must refuse, with the code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from device.lowbit.descriptor import FIELDS, Descriptor, ErrorCode

ARENA_BYTES = 1 << 16
LEGAL = Descriptor(0, 0x2000, 0x4000, 128, 128, w=4, h=4, cb_in=1, cb_out=1, digits=1, k=3).encode()
NOP = Descriptor(op=0).encode()
TOP = 0xFFFFFFC0
"""The highest offset that all alignments allow."""

Row = tuple[str, NDArray[np.uint32], ErrorCode]


def with_bits(words: NDArray[np.uint32], word: int, low: int, width: int, value: int) -> NDArray[np.uint32]:
    """Return `words` with one bit field replaced."""
    out = words.copy()
    out[word] = int(out[word]) & ~(((1 << width) - 1) << low) | value << low
    return out


def with_fields(**values: int) -> NDArray[np.uint32]:
    """Return LEGAL with the named fields replaced, whatever that makes of it."""
    words = LEGAL
    for name, value in values.items():
        words = with_bits(words, *FIELDS[name], value)
    return words


def illegal() -> dict[str, tuple[NDArray[np.uint32], ErrorCode]]:
    """Return {what is wrong: (words, code)}."""
    rows = [*reserved_rows(), *field_rows(), *limit_rows(), *nop_rows()]
    return {name: (words, code) for name, words, code in rows}


def reserved_rows() -> Iterator[Row]:
    for word, bits in ((0, (12, 23)), (9, (11, 15, 27, 31)), (10, (6, 7, 14, 15, 19, 28, 31))):
        for bit in bits:
            yield f"reserved word {word} bit {bit}", with_bits(LEGAL, word, bit, 1, 1), ErrorCode.BAD_FIELD
    for word in range(11, 16):
        yield f"reserved word {word}", with_bits(LEGAL, word, 13, 1, 1), ErrorCode.BAD_FIELD


def field_rows() -> Iterator[Row]:
    yield "tag", with_fields(tag=0xD0), ErrorCode.BAD_TAG
    yield "tag before op", with_fields(tag=0, op=9), ErrorCode.BAD_TAG
    yield "op", with_fields(op=2), ErrorCode.BAD_OP
    yield "op before field", with_fields(op=255, k=7), ErrorCode.BAD_OP
    side, block = (0, 1025, 2), (0, 33)
    wrong = {"w": side, "h": side, "cb_in": block, "cb_out": block, "digits": (0, 5, 7), "k": (0, 2, 5), "store": (3,)}
    for name, values in wrong.items():
        for value in values:
            yield f"{name} {value}", with_fields(**{name: value}), ErrorCode.BAD_FIELD
    for pad in ("pad_top", "pad_bottom", "pad_left", "pad_right"):
        yield f"{pad} with k 1", with_fields(**{"k": 1, pad: 1}), ErrorCode.BAD_FIELD
    yield "raw with store", with_fields(raw=1, store=2), ErrorCode.BAD_FIELD
    yield "space-to-depth of odd rows", with_fields(store=1, h=5), ErrorCode.BAD_FIELD
    yield "space-to-depth of odd columns", with_fields(store=1, w=5), ErrorCode.BAD_FIELD
    yield "field before alignment", with_fields(src=1, digits=0), ErrorCode.BAD_FIELD


def limit_rows() -> Iterator[Row]:
    for name, value in (("src", 16), ("dst", 8), ("constants", 32), ("src_pitch", 4), ("dst_pitch", 1)):
        yield f"alignment of {name}", with_fields(**{name: value}), ErrorCode.BAD_ALIGN
    yield "alignment before buffer", with_fields(src=1, w=1024, h=1024), ErrorCode.BAD_ALIGN
    # k*k*cb_in is at most 288 by the limits of its fields: the weight buffer alone cannot overflow.
    yield "activation buffer", with_fields(w=129, h=128), ErrorCode.BUFFER_FULL
    yield "activation buffer, blocks", with_fields(cb_in=32, h=1024), ErrorCode.BUFFER_FULL
    yield "activation buffer, digits", with_fields(w=128, h=33, digits=4), ErrorCode.BUFFER_FULL
    yield "buffer before arena", with_fields(w=1024, h=1024, src=TOP), ErrorCode.BUFFER_FULL
    for name, value in (("src", ARENA_BYTES - 96), ("dst", ARENA_BYTES - 32), ("constants", ARENA_BYTES - 1600)):
        yield f"arena: {name}", with_fields(**{name: value}), ErrorCode.OUT_OF_ARENA
        yield f"arena: {name} at the top", with_fields(**{name: TOP}), ErrorCode.OUT_OF_ARENA
    yield "arena: src_pitch", with_fields(cb_in=2, src_pitch=TOP), ErrorCode.OUT_OF_ARENA
    yield "arena: dst_pitch", with_fields(cb_out=32, dst_pitch=TOP), ErrorCode.OUT_OF_ARENA


def nop_rows() -> Iterator[Row]:
    for bit in (9, 10, 11, 12, 23):
        yield f"NOP with bit {bit} of word 0", with_bits(NOP, 0, bit, 1, 1), ErrorCode.BAD_FIELD
    for word in range(4, 16):
        yield f"NOP with word {word}", with_bits(NOP, word, 0, 32, 64), ErrorCode.BAD_FIELD
