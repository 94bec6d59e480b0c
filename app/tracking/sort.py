# SPDX-License-Identifier: Apache-2.0
"""SORT with the few later ideas that paid on MOT15: boxes of consecutive frames get stable numbers.

Base: Bewley et al., "Simple Online and Realtime Tracking", 2016 (arXiv:1602.00763): predict all boxes, match them to
the detections by overlap, correct. Added: weak detections may keep a track alive but start none (Zhang et al.,
"ByteTrack", 2022, arXiv:2110.06864); boxes are enlarged before they are compared (Yang et al., "Hard to Track Objects
with Irregular Motions and Similar Appearances? Make It Easier by Buffering the Matching Space", 2023,
arXiv:2211.14317); a lost track must overlap more than one just seen; a detection over a box already taken starts no
track. Everything is counted in seconds of the frames' own time, because frames are dropped. The output of a frame
depends on that frame and earlier ones only. One tracker follows one kind of object: `class_id` is not looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.assignment import Float64, Index, assign, iou_matrix
from app.tracking.kalman import KalmanFilters
from models.results import Detections, Tracks

# Variances of SORT's filter: [cx, cy, s, r] measured, [cx, cy, s, r, vx, vy, vs] of the state. With constant noise
# the gains depend on nothing but time, so only ratios matter and no unit of length is hidden here: boxes twice as
# large give tracks twice as large. Of the difference from the prediction a track takes over, in the long run, 0.55 of
# the position and 0.22 of the area and aspect at 25 frames a second, 0.72 and 0.32 at 10. The velocity of a new track
# is unknown (large variance) and changes slowly once known.
MEASURED_NOISE = np.array([1.0, 1.0, 10.0, 10.0])
MOTION_NOISE = np.array([1.0, 1.0, 1.0, 1.0, 0.01, 0.01, 0.0001])
FIRST_VARIANCE = np.array([10.0, 10.0, 10.0, 10.0, 1e4, 1e4, 1e4])


@dataclass(frozen=True)
class SortSettings:
    """How boxes become tracks. Defaults reach the figures asserted in tests/app/tracking/test_sort_mot.py."""

    score_threshold: float = 0.5
    """Weaker detections are not used at all: where detectors commonly cut."""
    sure_score: float = 0.6
    """From here on a detection may start a track (ByteTrack's value); weaker ones only prolong confirmed tracks."""
    box_margin: float = 0.1
    """Boxes grow by this part of their size on each side before they are compared: bridges jumps of small boxes."""
    iou_threshold: float = 0.15
    """Least overlap (of the enlarged boxes) of a sure detection with a track that was found in the last frame."""
    strict_iou_threshold: float = 0.3
    """Least overlap where less is certain, a lost track or a weak detection: SORT's value."""
    crowding_iou: float = 0.35
    """A detection that overlaps a track found in this frame by more starts no track: most are second boxes of it."""
    n_init: int = 3
    """Frames in a row in which a new object must be found before it gets a number: SORT's value."""
    certain_score: float = math.inf
    """A detection this sure gets its number at once; inf = none does."""
    first_at_once: bool = False
    """Whether what is found in the first frame gets its number at once: a picture has no second frame."""
    max_age_s: float = 1.0
    """A track not found for longer is given up: about the time one person hides another in passing."""
    coast_s: float = 0.0
    """Confirmed tracks not found in this frame are still returned, at their predicted place, for so long.

    0 = only what was seen, which scores best; a display that must not flicker wants 0.2 or so.
    """
    time_unit_s: float = 0.07
    """Time for one step of SORT's noise: larger = smoother. SORT steps once a frame, here between 0.04 and 0.1 s."""

    def __post_init__(self) -> None:
        for name in ("score_threshold", "sure_score", "iou_threshold", "strict_iou_threshold", "crowding_iou"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"SortSettings.{name}: expected 0 to 1, got {getattr(self, name)}")
        for name in ("box_margin", "max_age_s", "coast_s"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"SortSettings.{name}: expected 0 or more, got {getattr(self, name)}")
        for name in ("n_init", "iou_threshold", "strict_iou_threshold", "time_unit_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"SortSettings.{name}: expected more than 0, got {getattr(self, name)}")


# One row a track, beside its filter. serial counts all that ever began; track_id 0 = not confirmed; detection = index
# in the last frame's, -1 = missed.
_BOOK = np.dtype(
    [
        ("serial", "i8"),
        ("track_id", "i8"),
        ("n_hits", "i8"),
        ("first_ns", "i8"),
        ("seen_ns", "i8"),
        ("score", "f8"),
        ("detection", "i4"),
    ]
)


class Sort:
    """Tracker of one stream; numbers count from 1 in the order of confirmation and are never given twice."""

    def __init__(self, settings: SortSettings | None = None) -> None:
        self.settings = settings or SortSettings()
        self._filters = KalmanFilters()
        self._book = np.zeros(0, _BOOK)
        self._n_begun = 0
        self._n_confirmed = 0
        self._n_updates = 0
        self._t_ns: int | None = None
        self._clock_ns = 0
        self._updated_ns = 0

    def update(self, detections: Detections, t_ns: int) -> Tracks:
        """Take the detections of the frame shown at `t_ns` and return the tracks seen in it, by rising number.

        A time that is not later than the last one counts as no time passed. Order of the detections does not
        matter. Raises ValueError for a box or score that is not finite; boxes without area are left out.
        """
        source = self._usable(detections)
        xyxy, score = detections.xyxy[source].astype(np.float64), detections.score[source].astype(np.float64)
        self._advance(t_ns)
        self._n_updates += 1
        self._updated_ns = self._clock_ns
        rows, columns = self._associate(xyxy, score)
        self._correct(rows, xyxy[columns], score[columns], source[columns])
        new = self._unexplained(xyxy, score, columns)
        self._forget((self._book["track_id"] > 0) | (self._book["detection"] >= 0))
        self._begin(xyxy[new], score[new], source[new])
        self._confirm()
        return self._tracks(self._book["detection"])

    def move(self, last_to_next: Float64) -> None:
        """Tell how the camera moved, before the next frame's `update` or `predict`; without calls it stands still.

        `last_to_next` (2, 3) takes px of the last frame given to px of the next one; it turns, scales and shifts, and
        does not mirror. Velocities then count from what stands still in the scene, not from the picture's edge.
        Raises ValueError for a map that is not finite or flattens or mirrors the picture.
        """
        if last_to_next.shape != (2, 3) or not np.isfinite(last_to_next).all():
            raise ValueError(f"camera motion: expected a finite (2, 3) map, got {last_to_next.tolist()}")
        if not np.linalg.det(last_to_next[:, :2]) > 0.0:
            raise ValueError(f"camera motion: expected a determinant above 0, got {last_to_next.tolist()}")
        self._filters.move(last_to_next)

    @property
    def n_numbers(self) -> int:
        """The highest number given so far."""
        return self._n_confirmed

    def count_from(self, number: int) -> None:
        """Give only numbers above `number`; for a tracker that takes over from another."""
        self._n_confirmed = max(self._n_confirmed, number)

    def predict(self, t_ns: int) -> Tracks:
        """Return the tracks of the last update as predicted at `t_ns`, for a frame in which nothing was searched."""
        self._advance(t_ns)
        return self._tracks(np.full(len(self._book), -1, np.int32))

    def _usable(self, detections: Detections) -> Index:
        """Indices of the boxes to use, in an order that depends on the boxes alone."""
        xyxy, score = detections.xyxy, detections.score
        if not (np.isfinite(xyxy).all() and np.isfinite(score).all()):
            bad = int(np.flatnonzero(~(np.isfinite(xyxy).all(axis=1) & np.isfinite(score)))[0])
            raise ValueError(f"detection {bad}: expected a finite box and score, got {xyxy[bad]} {score[bad]}")
        order = np.lexsort((*xyxy.T, -score))
        usable = (score >= self.settings.score_threshold) & (xyxy[:, :2] < xyxy[:, 2:]).all(axis=1)
        kept: Index = order[usable[order]]
        return kept

    def _advance(self, t_ns: int) -> None:
        """Move the clock and all tracks on to `t_ns`; tracks that are too old by then are forgotten first."""
        passed_ns = 0 if self._t_ns is None else max(0, t_ns - self._t_ns)
        self._t_ns = t_ns
        self._clock_ns += passed_ns
        self._forget(self._is_remembered())
        if passed_ns and len(self._filters):
            dt = passed_ns * 1e-9 / self.settings.time_unit_s
            mean = self._filters.mean
            mean[mean[:, 2] + dt * mean[:, 6] <= 0.0, 6] = 0.0  # an area stays above 0
            self._filters.predict(dt, MOTION_NOISE * dt)

    def _is_remembered(self) -> NDArray[np.bool_]:
        """Return which tracks are not given up yet."""
        remembered: NDArray[np.bool_] = self._clock_ns - self._book["seen_ns"] <= self.settings.max_age_s * 1e9
        return remembered

    def _associate(self, xyxy: Float64, score: Float64) -> tuple[Index, Index]:
        """Match tracks to boxes (M, 4): sure ones first, then weak ones to the confirmed tracks that are left."""
        if not len(self._book) or not len(xyxy):
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        use, overlap = self.settings, self._overlaps(xyxy)
        sure = score >= use.sure_score
        least = np.where(self._book["detection"] < 0, use.strict_iou_threshold, use.iou_threshold)
        rows, columns = self._match_sure(overlap, (overlap >= least[:, None]) & sure, xyxy, sure)
        if sure.all():
            return rows, columns
        free = self._book["track_id"] > 0
        free[rows] = False
        left, weak = np.flatnonzero(free), np.flatnonzero(~sure)
        overlap = overlap[np.ix_(left, weak)]
        more_rows, more_columns = assign(overlap, overlap >= use.strict_iou_threshold)
        return np.concatenate([rows, left[more_rows]]), np.concatenate([columns, weak[more_columns]])

    def _match_sure(
        self, overlap: Float64, possible: NDArray[np.bool_], xyxy: Float64, sure: NDArray[np.bool_]
    ) -> tuple[Index, Index]:
        """Match tracks to the sure ones of the boxes (M, 4) where that is possible (N, M)."""
        return assign(overlap, possible)

    def _overlaps(self, xyxy: Float64) -> Float64:
        """Return the overlap (N, M) of the predicted tracks with boxes (M, 4), both enlarged."""
        margin = self.settings.box_margin
        return iou_matrix(_enlarged(state_to_xyxy(self._filters.mean), margin), _enlarged(xyxy, margin))

    def _correct(self, rows: Index, xyxy: Float64, score: Float64, source: Index) -> None:
        """Correct the tracks `rows` by their boxes; all others count as missed."""
        self._filters.update(rows, xyxy_to_measured(xyxy), MEASURED_NOISE)
        book = self._book
        book["detection"] = -1
        book["detection"][rows] = source
        book["score"][rows] = score
        book["seen_ns"][rows] = self._clock_ns
        book["n_hits"][rows] += 1

    def _unexplained(self, xyxy: Float64, score: Float64, taken: Index) -> Index:
        """Indices of sure boxes that belong to no track and do not lie over one that was found."""
        free = score >= self.settings.sure_score
        free[taken] = False
        new = np.flatnonzero(free)
        if not len(new) or not len(taken):
            return new
        found = state_to_xyxy(self._filters.mean[self._book["detection"] >= 0])
        apart: NDArray[np.bool_] = iou_matrix(xyxy[new], found).max(axis=1) <= self.settings.crowding_iou
        return new[apart]

    def _forget(self, keep: NDArray[np.bool_]) -> None:
        if not keep.all():
            self._book = self._book[keep]
            self._filters.keep(keep)

    def _begin(self, xyxy: Float64, score: Float64, source: Index) -> None:
        """Start an unconfirmed track for each box."""
        if len(xyxy):
            rows = np.zeros(len(xyxy), _BOOK)
            rows["serial"] = self._n_begun + 1 + np.arange(len(rows))
            self._n_begun += len(rows)
            rows["n_hits"] = 1
            rows["first_ns"] = rows["seen_ns"] = self._clock_ns
            rows["score"] = score
            rows["detection"] = source
            self._book = np.concatenate([self._book, rows])
            self._filters.add(xyxy_to_measured(xyxy), FIRST_VARIANCE)

    def _confirm(self) -> None:
        """Give the next numbers to tracks found often enough, or surely enough."""
        ripe = self._ripe()
        if len(ripe):
            self._book["track_id"][ripe] = self._n_confirmed + 1 + np.arange(len(ripe))
            self._n_confirmed += len(ripe)

    def _ripe(self) -> Index:
        """Return the rows of the tracks that get a number now."""
        book, use = self._book, self.settings
        is_first = use.first_at_once and self._n_updates == 1
        is_ripe = (book["n_hits"] >= use.n_init) | (book["score"] >= use.certain_score) | is_first
        return np.flatnonzero((book["track_id"] == 0) & is_ripe)

    def _tracks(self, detection: NDArray[np.int32]) -> Tracks:
        """Return the confirmed tracks found in the last update, or missed for at most `coast_s` before it."""
        book, coast_ns = self._book, self.settings.coast_s * 1e9
        shown = book["detection"] >= 0
        if coast_ns > 0.0:
            shown |= self._updated_ns - book["seen_ns"] <= coast_ns
        rows = np.flatnonzero(shown & (book["track_id"] > 0))
        rows = rows[book["track_id"][rows].argsort()]
        mean = self._filters.mean[rows]
        return Tracks(
            book["track_id"][rows],
            state_to_xyxy(mean).astype(np.float32),
            (mean[:, 4:6] / self.settings.time_unit_s).astype(np.float32),
            book["score"][rows].astype(np.float32),
            ((self._clock_ns - book["first_ns"][rows]) * 1e-9).astype(np.float32),
            detection[rows],
        )


def xyxy_to_measured(xyxy: Float64) -> Float64:
    """Boxes (N, 4) to [cx, cy, area, width / height] (N, 4)."""
    low, high = xyxy[:, :2], xyxy[:, 2:]
    measured = np.empty_like(xyxy)
    measured[:, :2] = 0.5 * (low + high)
    width, height = (high - low).T
    measured[:, 2] = width * height
    measured[:, 3] = width / height
    return measured


def state_to_xyxy(mean: Float64) -> Float64:
    """Filter states (N, 7) to boxes (N, 4)."""
    half_width = 0.5 * np.sqrt(mean[:, 2] * mean[:, 3])
    half = np.stack([half_width, half_width / mean[:, 3]], axis=1)
    return np.concatenate([mean[:, :2] - half, mean[:, :2] + half], axis=1)


def _enlarged(xyxy: Float64, margin: float) -> Float64:
    """Boxes (N, 4) with `margin` times their width and height added on each side."""
    grow = margin * (xyxy[:, 2:] - xyxy[:, :2])
    return np.concatenate([xyxy[:, :2] - grow, xyxy[:, 2:] + grow], axis=1)
