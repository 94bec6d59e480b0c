# SPDX-License-Identifier: Apache-2.0
"""`python -m app.bench.crowd [--minutes 60]`: the hybrid tracker in a crowd that comes and goes; memory stays level.

People walk in, are hidden now and then, walk out, and some return; boxes and looks are made up (a picture holds a
person's code in its pixels, so that the real way of pictures is used), no network runs. Faster than real time. Prints
one JSON object; exit code 1 where galleries grow, a number is missing or given twice, or lost people are too many.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.tracking.hybrid import Hybrid
from app.tracking.person import HybridSettings
from models.results import Detections, Float32, Image

FPS = 10.0
SIZE_WH = (640, 480)
N_CODES = 250
"""People who are told apart; one who left is given back after a while, as somebody who returns."""
N_LOOKS = 64
"""Length of a made-up vector."""
MISS_RATE = 0.05
HIDDEN_S = 1.5
N_WARM = 600
"""Frames before memory is looked at."""
GROWTH = 1.25
"""Most of the galleries' memory at the end against that after the warm-up."""


@dataclass(eq=False)
class Walker:
    """A person on his way: centre and speed in px, px/s."""

    code: int
    place: NDArray[np.float64]
    speed: NDArray[np.float64]
    hidden_until_s: float = 0.0


def crowd(n_people: int, n_frames: int, seed: int = 0) -> Iterator[tuple[Detections, Image, NDArray[np.int64]]]:
    """Yield detections by falling score, the picture, and who each detection is, for each frame; about `n_people`."""
    random = np.random.default_rng(seed)
    walkers: list[Walker] = []
    away = list(range(1, N_CODES + 1))
    for frame in range(n_frames):
        now_s = frame / FPS
        while len(walkers) < n_people:
            walkers.append(entering(away.pop(0), random))
        for walker in walkers:
            walker.place += walker.speed / FPS
            if random.random() < 0.1 / FPS:
                walker.hidden_until_s = now_s + random.uniform(0.3, HIDDEN_S)
        gone = [walker for walker in walkers if not 0.0 <= walker.place[0] <= SIZE_WH[0]]
        walkers = [walker for walker in walkers if walker not in gone]
        away += [walker.code for walker in gone]
        seen = [w for w in walkers if now_s >= w.hidden_until_s and random.random() >= MISS_RATE]
        yield shown(seen, random)


def entering(code: int, random: np.random.Generator) -> Walker:
    is_left = random.random() < 0.5
    place = np.array([0.0 if is_left else SIZE_WH[0], random.uniform(100.0, SIZE_WH[1] - 60.0)])
    speed = np.array([random.uniform(30.0, 90.0) * (1 if is_left else -1), random.normal(0.0, 4.0)])
    return Walker(code, place, speed)


def shown(seen: list[Walker], random: np.random.Generator) -> tuple[Detections, Image, NDArray[np.int64]]:
    """Return boxes with noise and a picture that holds everybody's code, those nearer over those farther."""
    image: Image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    xyxy = np.zeros((len(seen), 4))
    for k, walker in enumerate(seen):
        half = np.array([14.0, 36.0])
        xyxy[k] = np.concatenate([walker.place - half, walker.place + half]) + random.normal(0.0, 0.7, 4)
    for k in np.argsort(xyxy[:, 3], kind="stable"):
        left, top, right, bottom = np.clip(xyxy[k], 0, [*SIZE_WH, *SIZE_WH]).astype(int)
        image[top:bottom, left:right] = seen[k].code
    n = len(seen)
    score = np.linspace(0.95, 0.9, n).astype(np.float32)
    found = Detections(xyxy.astype(np.float32), score, np.zeros(n, np.int32), np.zeros((n, 0, 2), np.float32))
    return found, image, np.array([walker.code for walker in seen], np.int64)


def made_up_looks(image: Image, xyxy: Float32) -> Float32:
    """The embedder: a vector (N, 64) of length 1 of the code that most pixels of each box (N, 4) hold."""
    vectors = np.zeros((len(xyxy), N_LOOKS), np.float32)
    height, width = image.shape[:2]
    for k, box in enumerate(np.asarray(xyxy, np.float64)):
        left, top, right, bottom = np.clip(box, 0, [width, height, width, height]).astype(int)
        codes = image[top:bottom, left:right, 0]
        if codes.size:
            code = int(np.bincount(codes.ravel()).argmax())
            vector = np.random.default_rng(code).normal(size=N_LOOKS)
            vectors[k] = vector / np.linalg.norm(vector)
    return vectors


def run_crowd(n_people: int, n_frames: int, settings: HybridSettings | None = None, seed: int = 0) -> dict[str, Any]:
    """Track the crowd; returns figures and, in `failures`, what is wrong in sentences."""
    tracker = Hybrid(hybrid=settings, embedder=made_up_looks)
    sizes, seconds, numbers, n_known = [], 0.0, set(), 0
    first_of: dict[int, int] = {}
    n_right = n_boxes = 0
    for frame, (found, image, codes) in enumerate(crowd(n_people, n_frames, seed)):
        start = time.perf_counter()
        tracker.show(image)
        tracks = tracker.update(found, round(frame * 1e9 / FPS))
        seconds += time.perf_counter() - start
        numbers.update(tracks.track_id.tolist())
        sizes.append(tracker.n_bytes)
        n_known = max(n_known, tracker.n_known)
        for number, index in zip(tracks.track_id.tolist(), tracks.detection_index.tolist(), strict=True):
            n_right += first_of.setdefault(number, int(codes[index])) == codes[index]
            n_boxes += 1
    figures = {
        "minutes": round(n_frames / FPS / 60, 2),
        "people": n_people,
        "frames": n_frames,
        "hz": round(n_frames / seconds, 1),
        "numbers": len(numbers),
        "highest_number": max(numbers, default=0),
        "right_number": round(n_right / max(n_boxes, 1), 4),
        "known_max": n_known,
        "gallery_kib": {"warm": peak_kib(sizes[:N_WARM]), "last": peak_kib(sizes[-N_WARM:])},
        "embedding_calls_per_frame": round(tracker.n_embedded / n_frames, 4),
    }
    return {**figures, "failures": failures(figures, n_people, tracker.use)}


def peak_kib(sizes: Sequence[int]) -> float:
    return round(max(sizes, default=0) / 1024, 1)


def failures(figures: dict[str, Any], n_people: int, settings: HybridSettings) -> list[str]:
    """Return what is wrong with the figures, in sentences."""
    out, memory = [], figures["gallery_kib"]
    if memory["last"] > GROWTH * memory["warm"]:
        out.append(f"galleries grow from {memory['warm']} to {memory['last']} KiB")
    if figures["numbers"] != figures["highest_number"]:
        out.append(f"{figures['highest_number']} numbers were given and {figures['numbers']} shown")
    if figures["known_max"] > 3 * n_people + settings.most_lost:
        out.append(f"{figures['known_max']} tracks remembered, expected {3 * n_people + settings.most_lost} at most")
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.bench.crowd", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of the crowd's own time (default: 60)")
    parser.add_argument("--people", type=int, default=20, help="in view at a time (default: 20)")
    given = parser.parse_args(arguments)
    n_frames = round(given.minutes * 60 * FPS)
    if n_frames < 2 * N_WARM or given.people < 1 or given.people > N_CODES // 2:
        print(f"expected at least {2 * N_WARM / FPS / 60:g} minutes and 1 to {N_CODES // 2} people", file=sys.stderr)
        return 1
    figures = run_crowd(given.people, n_frames)
    print(json.dumps(figures, indent=2))
    return 1 if figures["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
