# SPDX-License-Identifier: Apache-2.0
"""`python -m app.evaluate.shake_study --data MOT [--clip CLIP]`: what knowing the camera's motion gains, in figures.

Sequences with pictures from a still camera are shaken (app.evaluate.shake: SYNTHETIC) by several seeds and amplitudes;
the tracker runs over each without the camera's motion, with what corners or a dense flow find in the shaken
pictures, and with the exact map. The clip is shaken in the same way and steadied. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from app.evaluate.camera_track import CAMERAS, PICTURES, Camera, pictures
from app.evaluate.motchallenge import MotSequence, find_sequences, read_sequence
from app.evaluate.shake import Shake, shaken_picture, shaken_sequence, steps, window_size
from app.evaluate.track import TABLE, metric_arrays, run_tracker, run_with_camera, score
from app.sources.clip import Clip
from app.sources.source import EndOfStream
from app.tracking.sort import Sort
from device.errors import AppError
from models.camera_motion import CameraMotion
from models.results import Float32, Image, Tracks
from models.similarity import Affine, inverse, moved_points, then
from models.stabiliser import Stabiliser

WAYS = ("none", *CAMERAS, "exact")
METRICS = ("mota", "idf1", "hota", "id_switches")


class ExactCamera:
    """The camera motion that the shake was made with: the most that can be gained."""

    def __init__(self, maps: list[Affine]) -> None:
        self._steps = steps(maps)

    def __call__(self, image: Image, objects_xyxy: Float32 | None = None) -> CameraMotion:
        return CameraMotion(next(self._steps), 1, 1)


def study_tracks(
    data: Path, detections: Path | None, amplitudes: list[float], seeds: list[int]
) -> list[dict[str, Any]]:
    """Return, for each amplitude and way, means over the seeds and how far these lie apart; raises AppError."""
    folders = [folder for folder in find_sequences(data) if (folder / PICTURES).is_dir()]
    if not folders:
        raise AppError(f"{data} holds no sequence with pictures: expected {PICTURES}/ in at least one of its folders")
    sequences = [read_sequence(f, (detections / f.resolve().name if detections else f) / TABLE) for f in folders]
    images = [list(pictures(f, sequence.n_frames)) for f, sequence in zip(folders, sequences, strict=True)]
    rows = []
    for amplitude in amplitudes:
        by_way: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for seed in seeds if amplitude else seeds[:1]:  # without a shake all seeds are the same
            for way, figures in score_shake(Shake(seed, amplitude), sequences, images).items():
                by_way[way].append(figures)
        rows += [{"amplitude_px": amplitude, "camera_motion": way, **spread(runs)} for way, runs in by_way.items()]
    return rows


def score_shake(shake: Shake, sequences: list[MotSequence], images: list[list[Image]]) -> dict[str, dict[str, Any]]:
    """Return the figures of all sequences together, for each way to know the camera's motion."""
    arrays: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for sequence, still in zip(sequences, images, strict=True):
        size_wh = (still[0].shape[1], still[0].shape[0])
        maps = shake.maps(sequence.n_frames, sequence.fps, size_wh)
        shaken = shaken_sequence(sequence, maps, window_size(size_wh))
        seen = [shaken_picture(image, matrix) for image, matrix in zip(still, maps, strict=True)]
        for way in WAYS:
            arrays[way].append(metric_arrays(expect_truth(shaken), tracks_of(shaken, way, maps, seen)))
    return {way: score(found)[0] for way, found in arrays.items()}


def tracks_of(sequence: MotSequence, way: str, maps: list[Affine], images: list[Image]) -> list[Tracks]:
    if way == "none":
        return run_tracker(sequence, Sort()).tracks
    camera: Camera = ExactCamera(maps) if way == "exact" else CAMERAS[way]()
    return run_with_camera(sequence, Sort(), camera, images).tracks


def expect_truth(sequence: MotSequence) -> Any:
    if sequence.truth is None:
        raise AppError(f"{sequence.name} holds no truth: expected gt/gt.txt in it")
    return sequence.truth


def spread(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of each metric over the runs and, as <metric>_sd, their standard deviation."""
    means = {key: round(fmean(run[key] for run in runs), 4) for key in METRICS}
    sds = {f"{key}_sd": round(stdev(run[key] for run in runs), 4) for key in METRICS if len(runs) > 1}
    return {**means, **sds, "n": round(fmean(run["n"] for run in runs)), "n_seeds": len(runs)}


def study_preview(clip: Path, amplitudes: list[float], seeds: list[int]) -> list[dict[str, Any]]:
    """Return the jitter of a shaken clip before and after the stabiliser, and its cost."""
    frames = list(frames_of(clip))
    return [
        {"amplitude_px": a, "seed": seed, **score_preview(frames, Shake(seed, a))} for a in amplitudes for seed in seeds
    ]


def frames_of(clip: Path) -> Iterator[tuple[Image, int]]:
    source = Clip(clip, pace="max")
    try:
        while True:
            frame = source.read()
            yield frame.image, frame.t_ns
    except EndOfStream:
        return
    finally:
        source.close()


def score_preview(frames: list[tuple[Image, int]], shake: Shake) -> dict[str, Any]:
    """Return the figures of one shake.

    Jitter: how far the middle of the still scene moves in the picture from frame to frame, px, the mean over the
    frames after the first second. It is known exactly, from the maps of the shake and of the stabiliser.
    """
    image, _ = frames[0]
    size_wh = (image.shape[1], image.shape[0])
    fps = (len(frames) - 1) / ((frames[-1][1] - frames[0][1]) * 1e-9)
    maps = shake.maps(len(frames), fps, size_wh)
    stabiliser, steadied, ms = Stabiliser(), [], []
    for (still, t_ns), matrix in zip(frames, maps, strict=True):
        shaken = shaken_picture(still, matrix)
        start = time.perf_counter()
        steadied.append(then(matrix, stabiliser(shaken, t_ns).matrix))
        ms.append((time.perf_counter() - start) * 1e3)
    settled = round(fps)
    before, after = jitter_px(maps[settled:], window_size(size_wh)), jitter_px(steadied[settled:], window_size(size_wh))
    return {
        "jitter_before_px": round(before, 3),
        "jitter_after_px": round(after, 3),
        "factor": round(before / after, 2) if after else None,
        "ms_p50": round(float(np.median(ms)), 2),
        "size": list(window_size(size_wh)),
        "frames": len(frames),
    }


def jitter_px(maps: list[Affine], size_wh: tuple[int, int]) -> float:
    """Return by how many px the scene in the middle of the picture moves from one frame to the next, on average."""
    middle = np.array([[size_wh[0] / 2, size_wh[1] / 2]])
    moved = [moved_points(then(inverse(before), now), middle) - middle for before, now in pairwise(maps)]
    return float(np.linalg.norm(np.concatenate(moved), axis=1).mean())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.evaluate.shake_study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="MOT")
    parser.add_argument("--detections", type=Path, metavar="PATH", help="detections of another folder")
    parser.add_argument("--clip", type=Path, metavar="CLIP", help="a clip from a still camera, to shake and steady")
    parser.add_argument("--amplitudes", type=float, nargs="+", default=[0.0, 5.0, 10.0, 20.0], metavar="PX")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    try:
        study: dict[str, Any] = {
            "conditions": "SYNTHETIC camera motion over real pictures from still cameras; TrackEval, IoU 0.5, combined",
            "track": study_tracks(given.data, given.detections, given.amplitudes, given.seeds),
        }
        if given.clip is not None:
            study["preview"] = study_preview(given.clip, [a for a in given.amplitudes if a], given.seeds)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(study, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
