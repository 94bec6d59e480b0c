# SPDX-License-Identifier: Apache-2.0
"""OKS-AP of the body poses on a COCO keypoint folder, through the networks that the program runs."""

from __future__ import annotations

import contextlib
import io
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

from app.backends import resolve_backend
from app.build import Networks
from app.evaluate.coco_people import IMAGES, PERSON, TABLE, CocoPeople, read_people
from app.evaluate.expression import DataError
from app.evaluate.footage import read_picture
from device.errors import AppError
from models.persons import PersonDetector
from models.pose import PoseEstimator
from models.results import Image, Poses

METRICS = ("ap", "ap_50", "ap_75", "ap_medium", "ap_large", "ar")
"""The first six figures of pycocotools' summary for keypoints."""


def evaluate_pose(
    data: Path, precision: str = "float", backend: str = "auto", results: Path | None = None
) -> dict[str, Any]:
    """Return OKS-AP and AR (0..1) over the pictures of a COCO keypoint folder, `n` people, and ms a picture.

    Every person found is looked at, as the program does one after another; without tracking or smoothing.
    `results` gets results.json (COCO results). Raises AppError.
    """
    people = read_people(data)
    if not people.pictures or not people.dataset["annotations"]:
        raise DataError(f"{data / TABLE} names no picture or no person: expected some of each in {data / IMAGES}")
    used = resolve_backend(backend, precision)
    rows, ms = [], []
    with Networks() as networks:
        pose, detector = networks.pose(used, precision), networks.person_detector()
        for image_id, path in people.pictures.items():
            image = read_picture(path)
            start_ns = time.perf_counter_ns()
            poses = poses_in(image, detector, pose)
            ms.append((time.perf_counter_ns() - start_ns) / 1e6)
            rows += coco_rows(image_id, poses)
    if results is not None:
        write_rows(results / "results.json", rows)
    return {
        **score(people, rows),
        "n": len(people.dataset["annotations"]),
        "pictures": len(people.pictures),
        "found": len(rows),
        "ms_p50": round(median(ms), 3),
        "precision": precision,
        "backend": used,
        "conditions": "OKS by pycocotools, up to 20 people a picture; detector, then a look at each person; one thread",
    }


def poses_in(image: Image, detector: PersonDetector, pose: PoseEstimator) -> Poses:
    """Return the people of a picture; their score is the detector's times the mean of the keypoints'."""
    found = detector.poses(image)
    poses = pose(image, found.xyxy)
    return Poses(poses.keypoints, poses.xyxy, found.score * poses.score)


def coco_rows(image_id: int, poses: Poses) -> list[dict[str, Any]]:
    """Return COCO's result rows of one picture."""
    return [
        {
            "image_id": image_id,
            "category_id": PERSON,
            "keypoints": [round(v, 3) for v in keypoints.reshape(-1).tolist()],
            "score": round(score, 5),
        }
        for keypoints, score in zip(poses.keypoints, poses.score.tolist(), strict=True)
    ]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    except OSError as error:
        raise AppError(f"{path} cannot be written: {error}") from error


def score(people: CocoPeople, rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return the figures of pycocotools, null where no person of that size is there; all 0 where nobody was found."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise AppError("scoring poses needs the package pycocotools: run `make test` once, or install it") from error
    if not rows:
        return dict.fromkeys(METRICS, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        truth = COCO()
        truth.dataset = people.dataset
        truth.createIndex()
        job = COCOeval(truth, truth.loadRes(rows), "keypoints")
        job.evaluate()
        job.accumulate()
        job.summarize()
    figures = [float(job.stats[k]) for k in range(len(METRICS))]
    return {name: None if value < 0 else value for name, value in zip(METRICS, figures, strict=True)}
