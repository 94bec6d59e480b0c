# SPDX-License-Identifier: Apache-2.0
"""How well people are found in the pictures of MOTChallenge folders, by the detector of task `pose`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.backends import resolve_backend
from app.build import Networks
from app.evaluate.motchallenge import find_sequences, read_rows
from device.errors import AppError, BackendUnavailable
from models.geometry import iou
from models.persons import PersonDetector
from models.results import Detections, Float32, Image

PICTURES = "img1"
ENDINGS = {".jpg", ".jpeg", ".png"}
FOUND_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in one sequence beside its truth, frame by frame."""

    name: str
    detections: dict[int, Detections]  # by frame, from 1
    truth: dict[int, Float32]  # (N, 4) px
    ms: list[float]


def evaluate_persons(
    data: Path, precision: str = "float", backend: str = "auto", results: Path | None = None
) -> dict[str, Any]:
    """Return recall, precision, f1 and ap at IoU 0.5 over the MOTChallenge sequence or folder of sequences `data`.

    Recall, precision and f1 are those of all boxes that the detector gives; ap is the area under the curve over its
    scores. Of a folder of sequences those without pictures are left out, and named. `results` gets <sequence>.txt in
    MOTChallenge's format of detections. Raises AppError.
    """
    used = resolve_backend(backend, precision)
    if (used, precision) != ("cpu", "float"):
        raise BackendUnavailable(f"people are found by a float network on the cpu, not at {precision} on {used}")
    with Networks() as networks:
        detector = networks.person_detector()
        folders = find_sequences(data)
        blind = [folder.name for folder in folders if len(folders) > 1 and not (folder / PICTURES).is_dir()]
        found = [search(folder, detector) for folder in folders if folder.name not in blind]
        threshold = float(detector.card.fields["score_threshold"])
    if not found:
        raise AppError(f"no sequence in {data} has pictures: expected a folder {PICTURES} in at least one")
    if results is not None:
        for sequence in found:
            write_detections(results / f"{sequence.name}.txt", sequence.detections)
    return {
        **score(found),
        "ms_p50": round(median(ms for sequence in found for ms in sequence.ms), 3),
        "conditions": f"IoU {FOUND_IOU}, all boxes of score {threshold} and above, {used}, {precision}, one thread",
        "without_pictures": blind,
        "per_item": {sequence.name: score([sequence]) for sequence in found},
    }


def search(folder: Path, detector: PersonDetector) -> Found:
    """Look for people in all pictures of one sequence."""
    truth_path = folder / "gt/gt.txt"
    if not truth_path.is_file():
        raise AppError(f"{folder} holds no truth: expected gt/gt.txt")
    rows = read_rows(truth_path)
    rows = rows.take(rows.score == 1)
    xyxy = np.concatenate([rows.xywh[:, :2], rows.xywh[:, :2] + rows.xywh[:, 2:]], axis=1).astype(np.float32)
    found, ms = {}, []
    for frame, path in sorted(picture_paths(folder).items()):
        image = read_picture(path)
        start_ns = time.perf_counter_ns()
        found[frame] = detector(image)
        ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    if missing := sorted(set(rows.frame.tolist()) - set(found)):
        raise AppError(f"{folder / PICTURES} has no picture of frame {missing[0]}, which {truth_path} tells about")
    return Found(folder.resolve().name, found, {frame: xyxy[rows.frame == frame] for frame in found}, ms)


def picture_paths(folder: Path) -> dict[int, Path]:
    """Return the pictures of a sequence by frame number (from 1), which is their name; raises AppError."""
    files = [path for path in sorted((folder / PICTURES).glob("*")) if path.suffix.lower() in ENDINGS]
    if not files:
        raise AppError(f"{folder / PICTURES} holds no picture: expected 000001.jpg and so on")
    if odd := [path for path in files if not path.stem.isdecimal()]:
        raise AppError(f"{odd[0]}: expected a frame number as the picture's name")
    return {int(path.stem): path for path in files}


def read_picture(path: Path) -> Image:
    """Return a picture (H, W, 3) RGB; raises AppError."""
    bgr = cv2.imread(str(path)) if path.is_file() else None  # OpenCV would write about a missing file to stderr
    if bgr is None:
        raise AppError(f"{path} is not a picture that can be read; fetch it again")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def score(found: list[Found]) -> dict[str, Any]:
    """Return recall, precision, f1, ap and n (boxes of the truth); null where there is nothing to divide by."""
    frames = [(each.detections[k], each.truth[k]) for each in found for k in each.detections]
    hits = np.concatenate([hits_of(detections, truth) for detections, truth in frames])
    scores = np.concatenate([detections.score for detections, _ in frames])
    n, n_hits = sum(len(truth) for _, truth in frames), int(hits.sum())
    return {
        "recall": n_hits / n if n else None,
        "precision": n_hits / len(hits) if len(hits) else None,
        "f1": 2 * n_hits / (n + len(hits)) if n + len(hits) else None,
        "ap": average_precision(hits[np.argsort(-scores, kind="stable")], n) if n else None,
        "n": n,
        "frames": len(frames),
    }


def hits_of(detections: Detections, truth: Float32) -> NDArray[np.bool_]:
    """Return which detections (by falling score) are a person of the truth (N, 4) that no better one took."""
    free, hits = np.ones(len(truth), bool), np.zeros(len(detections), bool)
    for k, box in enumerate(detections.xyxy if len(truth) else ()):
        overlap = np.where(free, iou(box, truth), 0)
        best = int(overlap.argmax())
        hits[k] = overlap[best] >= FOUND_IOU
        free[best] &= not hits[k]
    return hits


def average_precision(hits: NDArray[np.bool_], n: int) -> float:
    """Return the area under precision over recall, each precision the best at that recall or more (VOC 2010)."""
    if not len(hits):
        return 0.0
    n_hits = np.cumsum(hits)
    best = np.maximum.accumulate((n_hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((best * hits).sum() / n)


def write_detections(path: Path, detections: dict[int, Detections]) -> None:
    """Write rows frame,-1,left,top,width,height,score,-1,-1,-1; raises AppError."""
    lines = []
    for frame, found in sorted(detections.items()):
        xywh = np.concatenate([found.xyxy[:, :2], found.xyxy[:, 2:] - found.xyxy[:, :2]], axis=1)
        for (x, y, w, h), value in zip(xywh.tolist(), found.score.tolist(), strict=True):
            lines.append(f"{frame},-1,{x:.3f},{y:.3f},{w:.3f},{h:.3f},{value:.4f},-1,-1,-1\n")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))
    except OSError as error:
        raise AppError(f"{path} cannot be written: {error}") from error
