# SPDX-License-Identifier: Apache-2.0
"""How often the expected number of faces is found in pictures and clips, through the task that the program runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from xml.etree import ElementTree

import numpy as np

from app.build import Networks
from app.chosen_task import new_face_finder
from app.evaluate.expression import DataError
from app.sources.clip import Clip
from app.sources.source import EndOfStream
from models.geometry import iou
from models.results import Float32

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
CLIPS = {".mp4", ".mkv", ".avi", ".mov", ".webm"}
FOUND_IOU = 0.3
"""BlazeFace's boxes and those of data sets frame a face differently: this is where they mean the same face."""


def evaluate_faces(path: Path, results: Path | None = None) -> dict[str, Any]:
    """Return recall and the false faces over all pictures and clips below `path`.

    What is expected of a file stands, in this order: in the folder's dlib-style .xml (boxes), in `expected.json`
    ({file name: number of faces in every frame}), else one face in the middle of a picture is expected, at least one
    in every frame of a clip.
    """
    files = sorted(f for f in ([path] if path.is_file() else path.rglob("*")) if f.suffix.lower() in PICTURES | CLIPS)
    if not files:
        raise DataError(f"{path} holds no picture or clip; expected {', '.join(sorted(PICTURES | CLIPS))}")
    boxes, counts = read_boxes(path), read_counts(path)
    rows = []
    with Networks() as networks:
        for file in files:
            if boxes and file.suffix.lower() in PICTURES and file.name not in boxes:
                continue  # a picture without annotation
            row = score_file(file, networks, boxes.get(file.name), counts.get(file.name), results)
            rows.append({**row, "name": str(file.relative_to(path)) if path.is_dir() else file.name})
    if not rows:
        raise DataError(
            f"no picture in {path} is named in its .xml; expected {', '.join(sorted(boxes)[:3])} or the like"
        )
    expected, found = sum(r["expected"] for r in rows), sum(r["found"] for r in rows)
    return {
        "recall": found / expected if expected else None,
        "expected": expected,
        "found": found,
        "false_frames": sum(r["false_frames"] for r in rows),
        "frames": sum(r["frames"] for r in rows),
        "n": len(rows),
        "ms_p50": median(r["ms_p50"] for r in rows),
        "per_item": {r["name"]: {k: v for k, v in r.items() if k != "name"} for r in rows},
        "conditions": "short and full range BlazeFace with tracking, as in the program; tracks shown in a frame count",
    }


def score_file(
    file: Path, networks: Networks, boxes: list[Float32] | None, count: int | None, results: Path | None
) -> dict[str, Any]:
    """Return expected and found faces of one file: boxes if known, else the count in every frame."""
    is_picture = file.suffix.lower() in PICTURES
    expected = found = false_frames = 0
    ms, numbers = [], []
    for size_wh, tracks, frame_ms in tracked(file, networks):
        ms.append(frame_ms)
        numbers.append(len(tracks))
        if boxes is not None:
            expected += len(boxes)
            found += sum(bool((iou(box, tracks) > FOUND_IOU).any()) for box in boxes)
        elif count is not None:
            expected += count
            found += min(count, len(tracks))
            false_frames += len(tracks) > count
        else:
            expected += 1
            found += has_middle(tracks, size_wh) if is_picture else len(tracks) > 0
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        (results / f"{file.name}.csv").write_text("".join(f"{k},{n}\n" for k, n in enumerate(numbers)))
    return {
        "name": file.name,
        "frames": len(ms),
        "expected": expected,
        "found": int(found),
        "false_frames": false_frames,
        "ms_p50": round(median(ms), 3),
    }


def tracked(file: Path, networks: Networks) -> Iterator[tuple[tuple[int, int], Float32, float]]:
    """Yield (size, boxes of the tracks shown, ms) of every frame."""
    finder, clip = new_face_finder(networks), Clip(file, pace="max")
    try:
        while True:
            frame = clip.read()
            start_ns = time.perf_counter_ns()
            tracks = finder.track(finder.detect(frame), frame.t_ns)
            ms = (time.perf_counter_ns() - start_ns) / 1e6
            yield (frame.image.shape[1], frame.image.shape[0]), tracks.xyxy, ms
    except EndOfStream:
        return
    finally:
        clip.close()


def has_middle(xyxy: Float32, size_wh: tuple[int, int]) -> bool:
    """Whether a box holds the middle of the picture."""
    middle = np.array(size_wh, np.float32) / 2
    return bool(((xyxy[:, :2] < middle) & (middle < xyxy[:, 2:])).all(1).any())


def read_boxes(path: Path) -> dict[str, list[Float32]]:
    """Return {picture: boxes} of the dlib-style .xml files in a folder (those with landmarks repeat the same boxes)."""
    found: dict[str, list[Float32]] = {}
    files = sorted(path.glob("*.xml")) if path.is_dir() else []
    for file in files:
        if "landmarks" in file.name:
            continue
        try:
            root = ElementTree.parse(file).getroot()
            for image in root.iter("image"):
                xywh = [
                    [float(box.get(k, "")) for k in ("left", "top", "width", "height")] for box in image.iter("box")
                ]
                found[str(image.get("file"))] = [np.array([x, y, x + w, y + h], np.float32) for x, y, w, h in xywh]
        except (ElementTree.ParseError, ValueError) as error:
            raise DataError(f"{file} is not a dlib-style list of boxes: {error}") from error
    return found


def read_counts(path: Path) -> dict[str, int]:
    """Return {file name: faces expected in every frame} of `expected.json` in a folder, empty without one."""
    file = path / "expected.json"
    if not file.exists():
        return {}
    try:
        return {str(name): int(number) for name, number in json.loads(file.read_text()).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{file}: expected a JSON object of file names and numbers ({error})") from error
