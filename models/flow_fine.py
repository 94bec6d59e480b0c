# SPDX-License-Identifier: Apache-2.0
"""The flow network on large pictures: coarse on the whole, then fine on tiles of the size it was made for.

Coarse to fine as in Brox et al. (ECCV 2004) and Ranjan and Black ("SPyNet", CVPR 2017), with one network at all levels:
the second picture is warped back by the motion found so far, and the network finds what is left.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.flow import FlowNet, enlarged
from models.flow_stem import HEIGHT_PX, WIDTH_PX, Grey
from models.results import Float32, Flow, Image

OVERLAP_PX = 32
"""Of neighbouring tiles: at its edges the network does not see where things go."""


class FineFlow:
    """As `FlowNet`, at the pictures' own size. One pass is the network's own answer, each further one looks at tiles.

    A pass over 640x480 runs the network 49 times. One thread at a time.
    """

    def __init__(self, net: FlowNet, passes: int = 2) -> None:
        if passes < 1:
            raise ValueError(f"passes: expected at least 1, got {passes}")
        self._net, self._passes = net, passes

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        """Return the motion of each pixel; raises ValueError for pictures of unequal sizes."""
        height, width = first_rgb.shape[:2]
        uv = enlarged(self._net(first_rgb, second_rgb), width, height).uv
        first, second = (np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8) for rgb in (first_rgb, second_rgb))
        for _ in range(1, self._passes):
            uv = uv + self._remaining(first, warped_back(second, uv))
        return Flow(uv, np.ones((height, width), bool))

    def _remaining(self, first: Grey, second: Grey) -> Float32:
        """Return the motion (H, W, 2) between two pictures that nearly agree, tile by tile."""
        height, width = first.shape
        bottom, right = max(HEIGHT_PX - height, 0), max(WIDTH_PX - width, 0)
        first, second = (
            np.asarray(cv2.copyMakeBorder(grey, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
            for grey in (first, second)
        )
        total = np.zeros((*first.shape, 2), np.float32)
        weight = np.zeros(first.shape, np.float32)
        window = tile_window()
        for y in tile_starts(first.shape[0], HEIGHT_PX):
            for x in tile_starts(first.shape[1], WIDTH_PX):
                tile = np.s_[y : y + HEIGHT_PX, x : x + WIDTH_PX]
                small = self._net.motion_of(np.ascontiguousarray(first[tile]), np.ascontiguousarray(second[tile]))
                total[tile] += window[..., None] * cv2.resize(small, (WIDTH_PX, HEIGHT_PX))
                weight[tile] += window
        return np.asarray((total / weight[..., None])[:height, :width], np.float32)


def warped_back(second: Grey, uv: Float32) -> Grey:
    """Return `second` looked up where each pixel of the first picture went; its edges are continued."""
    height, width = second.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    back = cv2.remap(second, x + uv[..., 0], y + uv[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(back, np.uint8)


def tile_starts(length: int, tile: int) -> list[int]:
    """Return where tiles begin that cover `length` px and overlap by at least OVERLAP_PX."""
    last = max(length - tile, 0)
    n = 1 + -(-last // (tile - OVERLAP_PX))
    return [round(k * last / max(n - 1, 1)) for k in range(n)]


def tile_window() -> Float32:
    """Return what each pixel of a tile counts (96, 128): less towards the edges, nowhere nothing."""
    rows, columns = (
        np.minimum(np.minimum(np.arange(n) + 1, n - np.arange(n)), OVERLAP_PX) / OVERLAP_PX
        for n in (HEIGHT_PX, WIDTH_PX)
    )
    return np.outer(rows, columns).astype(np.float32)
