# SPDX-License-Identifier: Apache-2.0
"""Where boxes alone do not say who is who."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.tracking.assignment import Float64, Index

SAME_PERSON_IOU = 0.6
"""Boxes that overlap more are two of one person and hide nothing."""


@dataclass(frozen=True, eq=False)
class Ask:
    """A box that is in doubt, and the tracks it may be."""

    column: int
    rows: Index


def close_races(near: Float64, least: float) -> Float64:
    """Return by how little each box (M,) is decided, inf where it is by `least` or more or there is no choice.

    `near` (N, M) is the overlap of tracks with boxes, 0 where they cannot belong together. A choice is between the two
    best tracks of a box, and between the two best boxes of a track that may be this one's.
    """
    margin = np.full(near.shape[1], np.inf)
    if near.shape[0] > 1:
        first, second = -np.partition(-near, 1, axis=0)[:2]
        margin = np.where(second > 0.0, first - second, np.inf)
    if near.shape[1] > 1:
        first, second = -np.partition(-near, 1, axis=1)[:, :2].T
        of_track = np.where(second > 0.0, first - second, np.inf)
        margin = np.minimum(margin, np.where(near > 0.0, of_track[:, None], np.inf).min(axis=0, initial=np.inf))
    return np.where(margin < least, margin, np.inf)


def shared_areas(a_xyxy: Float64, b_xyxy: Float64) -> Float64:
    """Return the area in px^2 that every box (N, 4) shares with every box (M, 4), as (N, M)."""
    low = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    high = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    shared: Float64 = np.clip(high - low, 0.0, None).prod(axis=2)
    return shared


def areas(xyxy: Float64) -> Float64:
    """Return the areas (N,) in px^2."""
    area: Float64 = (xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1)
    return area


def hidden_shares(xyxy: Float64, others_xyxy: Float64) -> Float64:
    """Return how much of each box (N, 4) the box in front that covers most of it hides, 0..1.

    Of two people, the one whose feet are lower in the picture is in front (a camera at eye level or above).
    """
    if not len(xyxy) or not len(others_xyxy):
        return np.zeros(len(xyxy))
    shared = shared_areas(xyxy, others_xyxy)
    area, other_area = areas(xyxy)[:, None], areas(others_xyxy)[None]
    is_same = shared > SAME_PERSON_IOU * (area + other_area - shared)
    is_in_front = others_xyxy[None, :, 3] > xyxy[:, None, 3]
    hidden: Float64 = np.where(is_in_front & ~is_same, shared / area, 0.0).max(axis=1)
    return hidden
