# SPDX-License-Identifier: Apache-2.0
"""MOTChallenge folders: read detections, truth and frame rate, write results.

A sequence is a folder with `det/det.txt`, `gt/gt.txt` and `seqinfo.ini`; frames are counted from 1. Format: Leal-Taixe
et al., "MOTChallenge 2015: Towards a Benchmark for Multi-Target Tracking" (arXiv:1504.01942), section 3.2: rows
frame, id, left, top, width, height, score, and three columns of which nothing is read here. In the truth the column
of the score is 1 for the rows that count.
"""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import AppError
from models.results import Detections, Tracks

N_COLUMNS = 7
MAX_FRAMES = 10_000_000
DEFAULT_FPS = 25.0
"""Frames a second of a sequence without seqinfo.ini, as most MOTChallenge sequences have."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Boxes of a whole sequence, in the order of the file."""

    frame: NDArray[np.int64]  # (N,) from 1
    object_id: NDArray[np.int64]  # (N,), -1 in detections
    xywh: NDArray[np.float64]  # (N, 4) px: left, top, width, height
    score: NDArray[np.float64]  # (N,) on the file's own scale; in the truth 1 = counts

    def take(self, index: NDArray[np.bool_]) -> Rows:
        """Return the rows where `index` is true."""
        return Rows(self.frame[index], self.object_id[index], self.xywh[index], self.score[index])


@dataclass(frozen=True, eq=False)
class MotSequence:
    """One sequence: `truth` is None where the folder has no gt/gt.txt."""

    name: str
    fps: float
    n_frames: int
    detections: Rows
    truth: Rows | None

    def t_ns(self, frame: int) -> int:
        """Presentation time of `frame` (from 1)."""
        return round((frame - 1) * 1e9 / self.fps)


def read_rows(path: Path) -> Rows:
    """Read a MOTChallenge table; raises AppError with file and line number where a row cannot be understood."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError as error:
        raise AppError(f"{path} is not here: expected a MOTChallenge table") from error
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(f"{path} cannot be read: {error}") from error
    table = [_row(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    values = np.array(table, np.float64).reshape(-1, N_COLUMNS)
    return Rows(values[:, 0].astype(np.int64), values[:, 1].astype(np.int64), values[:, 2:6], values[:, 6])


def _row(path: Path, number: int, line: str) -> list[float]:
    where = f"{path}, line {number}"
    fields = line.split(",")
    if len(fields) < N_COLUMNS:
        raise AppError(f"{where}: expected frame,id,left,top,width,height,score, got {line!r}")
    try:
        row = [float(field) for field in fields[:N_COLUMNS]]
    except ValueError as error:
        raise AppError(f"{where}: expected numbers, got {line!r}") from error
    if not np.isfinite(row).all() or row[0] % 1 or not 1 <= row[0] <= MAX_FRAMES:
        raise AppError(
            f"{where}: expected finite numbers and a whole frame number from 1 to {MAX_FRAMES}, got {line!r}"
        )
    return row


def find_sequences(data: Path) -> list[Path]:
    """Return the sequence folders of `data`: itself, or those in it, by name."""
    if not data.is_dir():
        raise AppError(f"{data} is not a folder: expected a MOTChallenge sequence or a folder of them")
    if _is_sequence(data):
        return [data]
    found = sorted(folder for folder in data.iterdir() if _is_sequence(folder))
    if not found:
        raise AppError(f"{data} holds no MOTChallenge sequence: expected det/det.txt in it or in a folder of it")
    return found


def _is_sequence(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("det/det.txt", "gt/gt.txt", "seqinfo.ini"))


def read_sequence(folder: Path, detections: Path) -> MotSequence:
    """Read one sequence: its rate, its truth, and the table `detections` (`folder`/det/det.txt or another)."""
    found = read_rows(detections)
    truth_path = folder / "gt/gt.txt"
    truth = read_rows(truth_path) if truth_path.is_file() else None
    fps, n_frames = _read_seqinfo(folder / "seqinfo.ini")
    last = max(int(rows.frame.max(initial=0)) for rows in (found, truth) if rows is not None)
    if not max(last, n_frames):
        raise AppError(f"{folder} holds no frame: expected rows in det/det.txt or a seqLength in seqinfo.ini")
    if truth is not None:
        truth = truth.take(truth.score == 1)
    return MotSequence(folder.resolve().name, fps, max(last, n_frames), found, truth)


def _read_seqinfo(path: Path) -> tuple[float, int]:
    """Return frames a second and the number of frames (0 = not known)."""
    if not path.is_file():
        return DEFAULT_FPS, 0
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text())
        fps, n_frames = parser.getfloat("Sequence", "frameRate"), parser.getint("Sequence", "seqLength")
    except (OSError, UnicodeDecodeError, configparser.Error, ValueError) as error:
        raise AppError(f"{path}: expected [Sequence] with frameRate and seqLength: {error}") from error
    if fps <= 0:
        raise AppError(f"{path}: expected a frameRate above 0, got {fps:g}")
    return fps, n_frames


def detections_by_frame(sequence: MotSequence) -> list[Detections]:
    """Return the detections of each frame, by falling score.

    Scores are limited to 0..1, which is what a tracker gets from a network. Detectors with an open scale (the ACF
    detector of MOT15 gives about -1 to 120) then count as sure from 1 on: nothing of the file is known in advance.
    """
    rows = sequence.detections
    order = np.lexsort((-rows.score, rows.frame))
    bounds = np.searchsorted(rows.frame[order], np.arange(1, sequence.n_frames + 2))
    xyxy = np.concatenate([rows.xywh[:, :2], rows.xywh[:, :2] + rows.xywh[:, 2:]], axis=1).astype(np.float32)
    score = np.clip(rows.score, 0.0, 1.0).astype(np.float32)
    cuts = (order[start:stop] for start, stop in pairwise(bounds))
    return [_detections(xyxy[cut], score[cut]) for cut in cuts]


def _detections(xyxy: NDArray[np.float32], score: NDArray[np.float32]) -> Detections:
    n = len(score)
    return Detections(xyxy, score, np.zeros(n, np.int32), np.zeros((n, 0, 2), np.float32))


def write_results(path: Path, tracks: Sequence[Tracks]) -> None:
    """Write the tracks of each frame (frame 1 first) as rows frame,id,left,top,width,height,score,-1,-1,-1."""
    lines = [line for frame, rows in enumerate(tracks, start=1) for line in _result_lines(frame, rows)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))
    except OSError as error:
        raise AppError(f"{path} cannot be written: {error}") from error


def _result_lines(frame: int, tracks: Tracks) -> list[str]:
    xywh = np.concatenate([tracks.xyxy[:, :2], tracks.xyxy[:, 2:] - tracks.xyxy[:, :2]], axis=1)
    return [
        f"{frame},{track_id},{x:.3f},{y:.3f},{w:.3f},{h:.3f},{score:.4f},-1,-1,-1\n"
        for track_id, (x, y, w, h), score in zip(tracks.track_id, xywh.tolist(), tracks.score, strict=True)
    ]
