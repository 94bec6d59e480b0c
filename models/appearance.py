# SPDX-License-Identifier: Apache-2.0
"""What a person looks like, as a vector: colours of clothes from head to foot, so that two pictures can be compared.

No network and no weights: histograms of hue, saturation and value in horizontal stripes (the idea of Gray and Tao,
"Viewpoint Invariant Pedestrian Recognition with an Ensemble of Localized Features", ECCV 2008, without its learning).
Each count is replaced by its square root, so that the scalar product of two vectors is the Bhattacharyya coefficient
of their histograms (Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval",
CVPR 2012, call that Hellinger). It knows clothes, not people: two who are dressed alike look alike.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.results import Float32, Image

SIZE_WH = (32, 64)
"""Px that every person is scaled to."""
N_STRIPES = 8
N_HUES, N_SATURATIONS, N_VALUES = 16, 8, 8
N_BINS = N_HUES + N_SATURATIONS + N_VALUES
N_DIMENSIONS = N_STRIPES * N_BINS
"""Length of a vector."""
MIDDLE = 0.25
"""Standard deviation, in widths of the box, of the weight of a column: what is beside a person is background."""
HUE_WEIGHT = 4.0
"""Of the hue histogram, in which a pixel counts as much as it is coloured and bright."""
AVERAGED_BELOW = 0.5
"""People that shrink more are averaged first, or the warp would skip pixels."""


class StripeHistograms:
    """The embedder: see `__call__`. Keeps no state; any thread."""

    def __call__(self, image: Image, xyxy: Float32) -> Float32:
        """Return a vector (N, 256) of length 1 for each box (N, 4) px of `image` (H, W, 3); no value is below 0.

        The scalar product of two is 1 for equal pictures; of people of one sequence it is above 0.9 for most pairs
        of the same and below for most others. What a box has outside the picture continues the picture's edge.
        A box without a pixel in the picture, without an area or that is not finite gives zeros: similar to nothing.
        """
        vectors = np.zeros((len(xyxy), N_DIMENSIONS), np.float32)
        for k, box in enumerate(np.asarray(xyxy, np.float64)):
            person = stretched(image, box)
            if person is not None:
                vectors[k] = described(person)
        return vectors


def stretched(image: Image, box: NDArray[np.float64]) -> Image | None:
    """Return what is in a box (4,) px, scaled to (64, 32, 3); None where there is nothing."""
    if not np.isfinite(box).all():
        return None
    height, width = image.shape[:2]
    low = np.clip(np.floor(box[:2]), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(box[2:]), 0, (width, height)).astype(int)
    if (low >= high).any() or (box[2:] <= box[:2]).any():
        return None
    part = image[low[1] : high[1], low[0] : high[0]]
    scale = np.array(SIZE_WH) / (box[2:] - box[:2])  # px of the output a px of the picture
    step = np.ones(2)
    if scale.min() < AVERAGED_BELOW:
        small_wh = np.clip(np.round((high - low) * np.minimum(scale, 1.0)), 1, None).astype(int)
        part = np.asarray(cv2.resize(part, small_wh.tolist(), interpolation=cv2.INTER_AREA), np.uint8)
        step = small_wh / (high - low)
    # Output px u is centred at u + 0.5, which is box low + (u + 0.5) / scale in the picture.
    (x, y), (across, down) = (box[:2] - low + 0.5 / scale) * step - 0.5, step / scale
    matrix = np.array([[across, 0.0, x], [0.0, down, y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(part, matrix, SIZE_WH, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def described(person: Image) -> Float32:
    """Return the vector (256,) of a person scaled to (64, 32, 3)."""
    hsv = np.asarray(cv2.cvtColor(person, cv2.COLOR_RGB2HSV_FULL)).reshape(-1, 3).astype(np.intp)
    hue, saturation, value = hsv.T
    weight = PIXEL_WEIGHT * (HUE_WEIGHT / 65536.0) * saturation * value
    counts = np.empty((N_STRIPES, N_BINS))
    counts[:, :N_HUES] = counted(hue * N_HUES >> 8, weight, N_HUES)
    counts[:, N_HUES:-N_VALUES] = counted(saturation * N_SATURATIONS >> 8, PIXEL_WEIGHT, N_SATURATIONS)
    counts[:, -N_VALUES:] = counted(value * N_VALUES >> 8, PIXEL_WEIGHT, N_VALUES)
    vector = np.sqrt(counts.ravel() / counts.sum())
    return np.asarray(vector, np.float32)


def counted(bins: NDArray[np.intp], weight: NDArray[np.float64], n_bins: int) -> NDArray[np.float64]:
    """Return the weighted histogram (stripes, bins) of the bin of every pixel (64 * 32,)."""
    flat: NDArray[np.float64] = np.bincount(STRIPE * n_bins + bins, weight, N_STRIPES * n_bins).astype(np.float64)
    return flat.reshape(N_STRIPES, n_bins)


def pixel_weights() -> NDArray[np.float64]:
    """Return the weight of every pixel (64 * 32,): a Gaussian across, the same in every row."""
    across = (np.arange(SIZE_WH[0]) + 0.5) / SIZE_WH[0] - 0.5
    return np.tile(np.exp(-0.5 * (across / MIDDLE) ** 2), SIZE_WH[1])


PIXEL_WEIGHT = pixel_weights()
STRIPE = np.repeat(np.arange(SIZE_WH[1]) * N_STRIPES // SIZE_WH[1], SIZE_WH[0])
