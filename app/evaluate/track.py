# SPDX-License-Identifier: Apache-2.0
"""Accuracy of a tracker on MOTChallenge sequences, by TrackEval.

The metrics are those of TrackEval's classes, fed with arrays, so that neither its files nor its folders are needed:
MOTA and identity switches (CLEAR; Bernardin & Stiefelhagen 2008), IDF1 (Ristani et al. 2016), both at IoU 0.5, and HOTA
(Luiten et al. 2021) as the mean over its 19 thresholds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluate.camera_track import CAMERA_MOTIONS, CAMERAS, PICTURES, Camera, pictures, sequence_folder
from app.evaluate.motchallenge import (
    MotSequence,
    Rows,
    detections_by_frame,
    find_sequences,
    read_sequence,
    write_results,
)
from app.evaluate.own_detections import detected
from app.tasks.pose import PERSON_TRACKING
from app.tracking.assignment import iou_matrix
from app.tracking.hybrid import Hybrid
from app.tracking.sort import Sort, SortSettings
from app.tracking.tracker import MovingTracker, Tracker
from device.errors import AppError
from models.appearance import StripeHistograms
from models.camera_motion import CameraMotion
from models.results import Image, Tracks

TABLE = "det/det.txt"
OWN_DETECTOR = "detector"
TRACKERS: dict[str, Callable[[SortSettings], MovingTracker]] = {
    "sort": Sort,
    "hybrid": lambda settings: Hybrid(settings, embedder=StripeHistograms()),
}


@dataclass(frozen=True, eq=False)
class Run:
    """What a tracker gave on one sequence: tracks of each frame, and the seconds each update took."""

    sequence: MotSequence
    tracks: list[Tracks]
    seconds: NDArray[np.float64]
    camera: CameraSteps | None = None
    n_embedded: int | None = None  # None = the tracker saw no pictures, or does not look at them


@dataclass(frozen=True, eq=False)
class CameraSteps:
    """How the camera moved up to each frame, and the seconds it took to find that."""

    motions: list[CameraMotion]
    seconds: NDArray[np.float64]


def evaluate_track(
    data: Path,
    tracker: str = "sort",
    results: Path | None = None,
    detections: Path | None = None,
    camera_motion: str = "none",
) -> dict[str, Any]:
    """Run `tracker` over the MOTChallenge sequence or folder of sequences `data` and return its figures.

    `detections` is a folder with <sequence>/det/det.txt (or, for one sequence, det/det.txt) to track in the place of
    the sequences' own; its sequences that are not in `data` are timed only. "detector": what the detector of task
    `pose` finds in the pictures, tracked as that task does it; sequences without pictures are left out.
    `results` gets <sequence>.txt with the tracks. Ratios are 0..1. The hybrid tracker looks at the pictures of img1/;
    of sequences without it has the boxes alone, and `embedding_calls_per_frame` counts only the others.
    `camera_motion` other than "none" tells the tracker how the camera moved, found in the pictures of img1/ by
    corners (lk) or dense flow (flow).
    """
    if tracker not in TRACKERS:
        raise AppError(f"no tracker is called {tracker!r}: expected one of {', '.join(sorted(TRACKERS))}")
    if camera_motion not in CAMERA_MOTIONS:
        raise AppError(f"no camera motion is called {camera_motion!r}: expected one of {', '.join(CAMERA_MOTIONS)}")
    is_own = detections is not None and str(detections) == OWN_DETECTOR
    sequences = detected(data, TABLE) if is_own else _read(data, detections)
    settings = PERSON_TRACKING if is_own else SortSettings()
    runs = [_run(sequence, TRACKERS[tracker](settings), data, camera_motion) for sequence in sequences]
    scored = [run for run in runs if run.sequence.truth is not None]
    if not scored:
        raise AppError(f"{data} holds no truth: expected gt/gt.txt in at least one sequence")
    if results is not None:
        for run in runs:
            write_results(results / f"{run.sequence.name}.txt", run.tracks)
    total, items = score([metric_arrays(_truth(run), run.tracks) for run in scored])
    figures = {run.sequence.name: {**_speed([run]), **_looks([run])} for run in runs}
    for run, item in zip(scored, items, strict=True):
        figures[run.sequence.name].update(item)
    source = "their own" if detections is None else detections.name
    return {
        **total,
        **_speed(runs),
        "tracker": tracker,
        "conditions": f"TrackEval, IoU 0.5 (HOTA: mean of 0.05 to 0.95), combined; detections: {source}; one thread",
        **_looks(runs),
        **_camera_figures(runs, camera_motion),
        "per_item": figures,
    }


def _read(data: Path, detections: Path | None) -> list[MotSequence]:
    """Read the sequences; with `detections` a folder of several, also those that are only there."""
    folders = find_sequences(data)
    if detections is None:
        return [read_sequence(folder, folder / TABLE) for folder in folders]
    if not detections.is_dir():
        raise AppError(f"{detections} is not a folder: expected <sequence>/{TABLE} in it")
    if folders == [data]:
        own = detections / TABLE
        return [read_sequence(data, own if own.is_file() else detections / data.resolve().name / TABLE)]
    names = {folder.name for folder in folders}
    extra = [path.parents[1] for path in sorted(detections.glob(f"*/{TABLE}")) if path.parents[1].name not in names]
    sequences = [read_sequence(folder, detections / folder.name / TABLE) for folder in folders]
    return sequences + [replace(read_sequence(folder, folder / TABLE), truth=None) for folder in extra]


def run_tracker(sequence: MotSequence, tracker: Tracker) -> Run:
    """Update `tracker` with every frame in order, a frame without detections included."""
    tracks, seconds = [], []
    for frame, found in enumerate(detections_by_frame(sequence), start=1):
        t_ns = sequence.t_ns(frame)
        start = time.perf_counter()
        tracks.append(tracker.update(found, t_ns))
        seconds.append(time.perf_counter() - start)
    return Run(sequence, tracks, np.array(seconds))


def _run(sequence: MotSequence, tracker: MovingTracker, data: Path, camera_motion: str) -> Run:
    folder = sequence_folder(data, sequence.name)
    is_seen = isinstance(tracker, Hybrid) and (folder / PICTURES).is_dir()
    if camera_motion == "none" and not is_seen:
        return run_tracker(sequence, tracker)
    camera = None if camera_motion == "none" else CAMERAS[camera_motion]()
    return run_with_pictures(sequence, tracker, pictures(folder, sequence.n_frames), camera)


def run_with_camera(sequence: MotSequence, tracker: MovingTracker, camera: Camera, images: Iterable[Image]) -> Run:
    """The same, with the motion of the camera that `camera` sees in the pictures of the frames outside the tracks."""
    return run_with_pictures(sequence, tracker, images, camera)


def run_with_pictures(
    sequence: MotSequence, tracker: MovingTracker, images: Iterable[Image], camera: Camera | None = None
) -> Run:
    """The same for a tracker that looks at the pictures, or with a camera's motion found in them, or both."""
    tracks: list[Tracks] = []
    motions, seconds, camera_seconds = [], [], []
    for frame, (found, image) in enumerate(zip(detections_by_frame(sequence), images, strict=True), start=1):
        start = time.perf_counter()
        if camera is not None:
            motions.append(camera(image, tracks[-1].xyxy if tracks else None))
        seen = time.perf_counter()
        if camera is not None:
            tracker.move(motions[-1].beyond_noise((image.shape[1], image.shape[0])))
        if isinstance(tracker, Hybrid):
            tracker.show(image)
        tracks.append(tracker.update(found, sequence.t_ns(frame)))
        seconds.append(time.perf_counter() - seen)
        camera_seconds.append(seen - start)
    steps = None if camera is None else CameraSteps(motions, np.array(camera_seconds))
    n_embedded = tracker.n_embedded if isinstance(tracker, Hybrid) else None
    return Run(sequence, tracks, np.array(seconds), steps, n_embedded)


def _looks(runs: list[Run]) -> dict[str, Any]:
    """Return how often people were looked at, nothing where no run could."""
    seen = [run for run in runs if run.n_embedded is not None]
    if not seen:
        return {}
    n_frames = sum(len(run.tracks) for run in seen)
    return {"embedding_calls_per_frame": round(sum(run.n_embedded or 0 for run in seen) / n_frames, 4)}


def _camera_figures(runs: list[Run], camera_motion: str) -> dict[str, Any]:
    """Return what is known of the camera, nothing where it was not looked for."""
    cameras = [run.camera for run in runs if run.camera is not None]
    if not cameras:
        return {}
    known = [motion.is_known for steps in cameras for motion in steps.motions]
    return {
        "camera_motion": camera_motion,
        "camera_known": float(np.mean(known)),
        "camera_ms_p50": round(float(np.median(np.concatenate([steps.seconds for steps in cameras]))) * 1e3, 3),
    }


def _truth(run: Run) -> Rows:
    if run.sequence.truth is None:
        raise ValueError(f"{run.sequence.name} has no truth")
    return run.sequence.truth


def _speed(runs: list[Run]) -> dict[str, Any]:
    n_frames = sum(len(run.tracks) for run in runs)
    return {"frames": n_frames, "hz": float(1.0 / np.median(np.concatenate([run.seconds for run in runs])))}


def metric_arrays(truth: Rows, tracks: list[Tracks]) -> dict[str, Any]:
    """Return what TrackEval's metrics read: per frame the object numbers from 0 (truth, tracker) and their IoU."""
    gt_names, gt_id = np.unique(truth.object_id, return_inverse=True)
    track_names = np.unique(np.concatenate([frame.track_id for frame in tracks]))
    gt_xyxy = np.concatenate([truth.xywh[:, :2], truth.xywh[:, :2] + truth.xywh[:, 2:]], axis=1)
    in_frame = [np.flatnonzero(truth.frame == number) for number in range(1, len(tracks) + 1)]
    return {
        "num_timesteps": len(tracks),
        "num_gt_ids": len(gt_names),
        "num_tracker_ids": len(track_names),
        "num_gt_dets": sum(len(rows) for rows in in_frame),
        "num_tracker_dets": sum(len(frame) for frame in tracks),
        "gt_ids": [gt_id[rows] for rows in in_frame],
        "tracker_ids": [np.searchsorted(track_names, frame.track_id) for frame in tracks],
        "similarity_scores": [
            iou_matrix(gt_xyxy[rows], frame.xyxy.astype(np.float64))
            for rows, frame in zip(in_frame, tracks, strict=True)
        ],
    }


def score(sequences: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the figures of all sequences together (TrackEval's COMBINED) and of each one."""
    metrics = _metrics()
    rows = [[metric.eval_sequence(arrays) for metric in metrics] for arrays in sequences]
    total = [
        metric.combine_sequences(dict(enumerate(column)))
        for metric, column in zip(metrics, zip(*rows, strict=True), strict=True)
    ]
    n_boxes = [int(arrays["num_gt_dets"]) for arrays in sequences]
    items = [_figures(row, n) for row, n in zip(rows, n_boxes, strict=True)]
    return _figures(total, sum(n_boxes)), items


def _metrics() -> list[Any]:
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise AppError("scoring tracks needs the package trackeval: run `make setup`") from error
    quiet = {"PRINT_CONFIG": False}
    return [CLEAR(quiet), Identity(quiet), HOTA()]


def _figures(row: list[dict[str, Any]], n_boxes: int) -> dict[str, Any]:
    clear, identity, hota = row
    # A sequence without a single track ends early in TrackEval, before its ratios are worked out.
    return {
        "mota": float(clear["MOTA"]),
        "idf1": float(identity["IDF1"]),
        "hota": float(np.mean(hota["HOTA"])),
        "id_switches": int(clear["IDSW"]),
        "n": n_boxes,
    }
