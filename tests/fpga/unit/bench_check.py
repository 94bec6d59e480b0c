# SPDX-License-Identifier: Apache-2.0
"""accel_check against device.lowbit.descriptor: the error code of any descriptor, the fields of a legal layer."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

from device.lowbit.descriptor import ACTIVATION_BYTES, Descriptor, ErrorCode, Store, check_words
from device.lowbit.layout import up4
from tests.device.lowbit.cases import place
from tests.fpga.unit.clocked import bench, drive, joined, read, reset, tick
from tests.fpga.unit.layers import MODES, layer_fields, shape_of
from tests.fpga.unit.structs import unpack

MOST_CLOCKS = 90
ARENA = 1 << 24
PLACES = ("src", "dst", "constants")


async def check(dut: Any, words: list[int], arena_bytes: int) -> ErrorCode:
    """Run one check and return its code; with OK the layer's fields must be right."""
    drive(dut, start_i=1, descriptor_i=joined(words, 32), arena_bytes_i=arena_bytes)
    await tick(dut)
    drive(dut, start_i=0)
    for _ in range(MOST_CLOCKS):
        await tick(dut)
        if read(dut.done_o):
            break
    else:
        raise AssertionError(f"not done after {MOST_CLOCKS} clocks: {words}")
    code = ErrorCode(read(dut.error_o))
    wanted = check_words(words, arena_bytes)
    assert code == wanted, f"expected {wanted.name}, got {code.name}: {Descriptor.decode(words)} in {arena_bytes}"
    if code == ErrorCode.OK and words[0] & 0xFF:
        fields = layer_fields(Descriptor.decode(words))
        shown = unpack("layer_t", read(dut.layer_o))
        assert shown == fields, f"{set(shown.items()) ^ set(fields.items())} of {Descriptor.decode(words)}"
    return code


def encoded(d: Descriptor) -> list[int]:
    return [int(word) for word in d.encode()]


def random_layer(rng: Random, most_px: int, most_blocks: int) -> Descriptor:
    """Return a legal CONV with random sides up to a limit; source, target or constants lie last."""
    raw, store = rng.choice(MODES)
    out_h, out_w = rng.randint(1, most_px), rng.randint(1, most_px)
    if store == Store.SPACE_TO_DEPTH:
        out_h, out_w = out_h + out_h % 2, out_w + out_w % 2
    d = shape_of(rng, out_h, out_w, raw, store)
    d = replace(d, cb_in=rng.randint(1, most_blocks), cb_out=rng.randint(1, most_blocks))
    d, n_bytes = place(d, (32 * rng.randint(0, 9), 32 * rng.randint(0, 9)))
    return replace(d, irq=rng.randint(0, 1), job=rng.getrandbits(32), **{rng.choice(PLACES): -(-n_bytes // 64) * 64})


def ends(d: Descriptor) -> list[int]:
    """Return where source, target and constants end."""
    return [d.src_planes()[-1][1], d.dst_planes()[-1][1], d.constants + d.constants_bytes]


def spoil(rng: Random, words: list[int]) -> None:
    """Change something that one of the checks may object to."""
    word, bits = rng.choice(
        [
            (rng.randrange(4, 9), 1 << rng.randrange(6)),
            (rng.choice([7, 8]), 0xFFE0 << rng.randrange(17)),
            (rng.choice([4, 5, 6]), 0xFFFFFFC0),
            (9, rng.choice([0x7FF, 0x7FF0000, 0x400, 0x4000000, words[9]])),
            (10, 1 << rng.randrange(28)),
            (10, words[10] & rng.choice([0x3F, 0x3F00, 0xF00000])),
            (0, 1 << rng.randrange(9, 24)),
            (rng.randrange(9, 16), 1 << rng.randrange(32)),
        ]
    )
    words[word] = (words[word] ^ bits) & 0xFFFFFFFF


@bench
async def legal_layers(dut: Any, rng: Random) -> None:
    """Small and large layers in an arena that ends with the last byte of them, or one byte before it."""
    codes = []
    for _ in range(150):
        d = random_layer(rng, *rng.choice([(9, 3), (40, 8), (300, 32)]))
        arena_bytes = rng.choice([max(ends(d)), max(ends(d)) - 1, rng.choice(ends(d)) - 1, ARENA])
        codes.append(await check(dut, encoded(d), arena_bytes))
    assert {ErrorCode.OK, ErrorCode.OUT_OF_ARENA, ErrorCode.BUFFER_FULL} <= set(codes)


@bench
async def every_bit(dut: Any, rng: Random) -> None:
    """Each bit of each word turned over, of a layer of each store mode; the tag's and the ring's words left out."""
    for raw, store in MODES:
        shape = Descriptor(w=8, h=6, cb_in=2, cb_out=3, digits=2, k=3, pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)
        words = encoded(place(replace(shape, raw=raw, store=store))[0])
        assert await check(dut, words, ARENA) == ErrorCode.OK
        for word, n_bits in [(0, 24), (9, 32), (10, 32), *((n, 32) for n in (4, 5, 6, 7, 8, 11, 15) if not store)]:
            for bit in range(n_bits):
                changed = list(words)
                changed[word] ^= 1 << bit
                await check(dut, changed, ARENA)


@bench
async def several_faults(dut: Any, rng: Random) -> None:
    """Up to three fields wrong at once: the first code in the order counts."""
    codes = set()
    for _ in range(250):
        words = encoded(random_layer(rng, 9, 3))
        for _ in range(rng.randint(1, 3)):
            spoil(rng, words)
        words[0] = words[0] & 0xFFFFFF00 | rng.choice([1, 1, 1, 1, 1, 1, 0, rng.getrandbits(8)])
        codes.add(await check(dut, words, rng.choice([ARENA, 0, 0xFFFFF000])))
    assert codes >= {ErrorCode(code) for code in (3, 4, 5, 7)}


@bench
async def nops(dut: Any, rng: Random) -> None:
    """A NOP is legal in any arena; all its words from 4 on are zero."""
    nop = encoded(Descriptor(op=0, irq=1, job=rng.getrandbits(32), limit=rng.getrandbits(32)))
    for arena_bytes in (0, ARENA):
        assert await check(dut, nop, arena_bytes) == ErrorCode.OK
        for word in range(16):
            changed = list(nop)
            changed[word] ^= 1 << rng.randrange(9, 24)
            await check(dut, changed, arena_bytes)


@bench
async def ends_beyond_32_bits(dut: Any, rng: Random) -> None:
    """Every power of two as a pitch or an offset: no bit of an end is lost."""
    for bit in range(16, 32):
        for name in ("src_pitch", "dst_pitch", *PLACES):
            shape = Descriptor(
                w=4, h=1, cb_in=rng.randint(1, 32), cb_out=rng.randint(1, 32), digits=rng.randint(1, 4), k=1
            )
            store = {"h": 2, "store": Store.SPACE_TO_DEPTH} if rng.random() < 0.5 else {}
            d = replace(place(replace(shape, **store))[0], **{name: 1 << bit})
            await check(dut, encoded(d), rng.choice([ARENA, 0xFFFFF000]))


@bench
async def machine_limits(dut: Any, rng: Random) -> None:
    """The activation buffer filled to its last word and one row of words more; sides of 1, 1024 and beyond."""
    for w, h, cb_in, digits in ((64, 64, 1, 4), (1024, 16, 1, 1), (4, 1024, 4, 1), (61, 8, 8, 4), (512, 1, 32, 1)):
        assert up4(w) * h * cb_in * digits * 8 == ACTIVATION_BYTES
        for more in ({}, {"h": h + 1}, {"cb_in": cb_in + 1}, {"w": w + 4}):
            shape = replace(Descriptor(w=w, h=h, cb_in=cb_in, cb_out=1, digits=digits, k=1), **more)
            code = await check(dut, encoded(place(shape)[0]), 0xFFFFF000)
            assert code != ErrorCode.OK or not more
    for w, h, store in product((1, 1024), (2, 1024), Store):
        d = place(Descriptor(w=w, h=h, cb_in=1, cb_out=2, digits=1, k=1, store=store))[0]
        for missing in (0, 1):
            await check(dut, encoded(replace(d, src=0, constants=0)), max(ends(d)) - missing)
    for side in (0, 1, 2, 3, 1023, 1024, 1025, 2047):
        for pad in (0, 1):
            shape = Descriptor(w=side, h=4, cb_in=1, cb_out=1, digits=1, k=3, pad_left=pad, pad_right=pad)
            await check(dut, encoded(replace(shape, src_pitch=32, dst_pitch=32)), ARENA)
            turned = replace(shape, w=4, h=side, pad_left=0, pad_right=0, pad_top=pad, pad_bottom=pad)
            await check(dut, encoded(replace(turned, src_pitch=32, dst_pitch=32)), ARENA)


@bench
async def reset_in_flight(dut: Any, rng: Random) -> None:
    """A reset at any clock of a check: no done without a start, and the next check is right."""
    for n_clocks in range(1, 40):
        drive(dut, start_i=1, descriptor_i=joined(encoded(random_layer(rng, 60, 32)), 32), arena_bytes_i=ARENA)
        await tick(dut)
        drive(dut, start_i=0)
        for _ in range(n_clocks):
            await tick(dut)
        await reset(dut, n_clocks=1)
        assert not read(dut.done_o)
        await check(dut, encoded(random_layer(rng, 9, 3)), ARENA)
