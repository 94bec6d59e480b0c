# SPDX-License-Identifier: Apache-2.0
"""How well people are found in pictures, by the detector of task `pose`: sequences, clips and the drawn room."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.backends import resolve_backend
from app.build import Networks
from app.evaluate.footage import PICTURES, Footage, Truth, find_footage
from device.errors import AppError, BackendUnavailable
from models.geometry import iou
from models.persons_tiled import PersonSearch, person_search
from models.results import Detections, Float32

FOUND_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in one sequence beside its truth, frame by frame."""

    name: str
    detections: dict[int, Detections]  # by frame, from 1
    truth: Truth | None  # None = there is none
    ms: list[float]


def evaluate_persons(
    data: Path,
    precision: str = "float",
    backend: str = "auto",
    results: Path | None = None,
    view: str = "eye",
    truth: Path | None = None,
) -> dict[str, Any]:
    """Return recall, precision, f1 and ap at IoU 0.5, and how many people were found in the pictures of `data`.

    `data` is a MOTChallenge sequence or a folder of them, a clip or "synthetic-top[:SEED]"; without a truth only counts
    are given. Recall, precision and f1 are those of all boxes that the detector gives; ap is the area under the curve
    over its scores. Of a folder of sequences those without pictures are left out, and named. `results` gets
    <sequence>.txt in MOTChallenge's format of detections. Raises AppError.
    """
    used = resolve_backend(backend, precision)
    if (used, precision) != ("cpu", "float"):
        raise BackendUnavailable(f"people are found by a float network on the cpu, not at {precision} on {used}")
    with Networks() as networks:
        detector = networks.person_detector()
        footage, blind = find_footage(data, truth)
        found = [search(each, person_search(detector, view)) for each in footage]
        threshold = float(detector.card.fields["score_threshold"])
    if not found:
        raise AppError(f"no sequence in {data} has pictures: expected a folder {PICTURES} in at least one")
    if results is not None:
        for sequence in found:
            write_detections(results / f"{sequence.name}.txt", sequence.detections)
    return {
        **score(found),
        "counts": counts(found),
        "ms_p50": round(median(ms for sequence in found for ms in sequence.ms), 3),
        "conditions": f"IoU {FOUND_IOU}, all boxes of score {threshold} and above, view {view}, {used}, {precision}, "
        "one thread",
        "without_pictures": blind,
        "per_item": {sequence.name: {**score([sequence]), "counts": counts([sequence])} for sequence in found},
    }


def search(footage: Footage, detector: PersonSearch) -> Found:
    """Look for people in all pictures of one sequence."""
    found: dict[int, Detections] = {}
    ms: list[float] = []
    seen: Truth = {}
    for frame, image in footage.pictures(seen):
        start_ns = time.perf_counter_ns()
        found[frame] = detector.poses(image).detections()
        ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    truth = footage.truth if footage.truth is not None else seen or None
    if missing := sorted(set(truth or ()) - set(found)):
        raise AppError(f"{footage.name} has {len(found)} pictures, its truth tells about frame {missing[0]}")
    return Found(footage.name, found, truth, ms)


def counts(found: list[Found]) -> dict[str, Any]:
    """Return how many people were found in how many pictures."""
    n = [len(detections) for each in found for detections in each.detections.values()]
    return {"pictures": len(n), "boxes": sum(n), "mean": sum(n) / len(n) if n else None, "most": max(n, default=0)}


def score(found: list[Found]) -> dict[str, Any]:
    """Return recall, precision, f1, ap and n (boxes of the truth); null where there is nothing to divide by.

    `frames` are those that were scored.
    """
    frames = [(each.detections[k], boxes) for each in found for k, boxes in sorted((each.truth or {}).items())]
    hits = np.concatenate([np.zeros(0, bool), *(hits_of(detections, truth) for detections, truth in frames)])
    scores = np.concatenate([np.zeros(0, np.float32), *(detections.score for detections, _ in frames)])
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
