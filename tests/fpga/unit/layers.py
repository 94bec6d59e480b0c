# SPDX-License-Identifier: Apache-2.0
"""What accel_check hands to the other modules about a layer, computed from the descriptor."""

from __future__ import annotations

from itertools import product
from random import Random

from device.lowbit.descriptor import Descriptor, Store
from device.lowbit.layout import code_row_bytes, raw_row_bytes, up4
from tests.device.lowbit.cases import place
from tests.fpga.unit.structs import pack

MODES = ((0, Store.PLAIN), (0, Store.SPACE_TO_DEPTH), (0, Store.UPSAMPLE), (1, Store.PLAIN))
"""raw and store."""


def layer_fields(d: Descriptor) -> dict[str, int]:
    """Return the fields of layer_t for a legal CONV."""
    (out_h, out_w), stored_w = d.out_hw, d.stored_hw[1]
    kept = ("src", "dst", "constants", "src_pitch", "dst_pitch", "w", "h", "cb_in", "cb_out", "digits")
    groups = up4(d.w) // 4
    return {name: int(getattr(d, name)) for name in (*kept, "pad_top", "pad_left", "store", "raw")} | {
        "out_w": out_w,
        "out_h": out_h,
        "k3": int(d.k == 3),
        "groups": groups,
        "planes": d.n_src_planes,
        "row_words": d.n_src_planes * groups,
        "taps": d.k * d.k * d.cb_in,
        "stored_row": raw_row_bytes(stored_w) if d.raw else code_row_bytes(stored_w),
        "quarter": d.cb_out * d.dst_pitch & 0xFFFFFFFF,
    }


def layer_number(d: Descriptor) -> int:
    """Return a legal CONV as a port of type layer_t takes it."""
    return pack("layer_t", **layer_fields(d))


def shapes(rng: Random) -> list[Descriptor]:
    """Return a placed layer for every output width and height of 1..9 and store mode, the rest of it random."""
    found = []
    for out_w, (raw, store) in product(range(1, 10), MODES):
        out_h = rng.randint(1, 9)
        if store == Store.SPACE_TO_DEPTH:
            if out_w % 2:
                continue
            out_h += out_h % 2
        found.append(
            place(shape_of(rng, out_h, out_w, raw, store), (32 * rng.randint(0, 2), 32 * rng.randint(0, 2)))[0]
        )
    rng.shuffle(found)
    return found


def shape_of(rng: Random, out_h: int, out_w: int, raw: int, store: int) -> Descriptor:
    """Return a legal CONV with this output, without addresses."""
    k = rng.choice([1, 3])
    while True:
        top, bottom, left, right = (rng.randint(0, 1) if k == 3 else 0 for _ in range(4))
        h, w = out_h + k - 1 - top - bottom, out_w + k - 1 - left - right
        if h >= 1 and w >= 1:
            break
    return Descriptor(
        w=w,
        h=h,
        cb_in=rng.randint(1, 3),
        cb_out=rng.randint(1, 3),
        digits=rng.randint(1, 4),
        k=k,
        pad_top=top,
        pad_bottom=bottom,
        pad_left=left,
        pad_right=right,
        raw=raw,
        store=store,
    )
