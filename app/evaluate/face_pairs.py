# SPDX-License-Identifier: Apache-2.0
"""`python -m app.evaluate.face_pairs --data FOLDER`: how well the look of faces tells people apart.

FOLDER holds a folder of photos for each person, or a clip of one person each; of a photo the middle counts, of a clip
the largest person in a picture every half second, and --same names those that show one person (`--same am,pm`: what
begins with either is one). Prints one JSON object: the area under the ROC curve of pairs of one person against pairs
of two.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.evaluate.reid_study import roc_area
from app.opened_networks import Networks
from device.errors import AppError
from models.face_appearance import FacePatterns
from models.results import Detections, Float32, Image

PHOTOS = {".jpg", ".jpeg", ".png", ".pgm", ".bmp"}
EVERY_S = 0.5
BORDER = 0.5
"""Photos that are cut close around a face get this part of their size more on each side, as a repeated border."""


def photos(folder: Path) -> Iterator[Image]:
    """Yield the photos of one person, RGB; raises AppError for one that cannot be read."""
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTOS):
        image = cv2.imread(str(path))
        if image is None:
            raise AppError(f"{path}: expected a photo, found something that cannot be read; repair or remove it")
        up, aside = (round(BORDER * side) for side in image.shape[:2])
        padded = cv2.copyMakeBorder(image, up, up, aside, aside, cv2.BORDER_REPLICATE)
        yield np.asarray(cv2.cvtColor(padded, cv2.COLOR_BGR2RGB), np.uint8)


def pictures(clip: Path) -> Iterator[Image]:
    """Yield a picture of every half second of a clip, RGB; raises AppError where there is none."""
    video = cv2.VideoCapture(str(clip))
    try:
        every, n = max(1, round(EVERY_S * (video.get(cv2.CAP_PROP_FPS) or 30.0))), 0
        while True:
            is_read, image = video.read()
            if not is_read:
                break
            if n % every == 0:
                yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
            n += 1
    finally:
        video.release()
    if not n:
        raise AppError(f"{clip}: expected a clip, found nothing that can be played; repair or remove it")


def people(data: Path, same: Sequence[str]) -> Iterator[tuple[str, bool, Iterator[Image]]]:
    """Yield name, whether it is a clip, and pictures of each person; raises AppError where FOLDER is none, or empty."""
    if not data.is_dir():
        raise AppError(f"{data} is no folder: expected one with a folder of photos, or a clip, for each person")
    entries = sorted(path for path in data.iterdir() if not path.name.startswith("."))
    if not entries:
        raise AppError(f"{data} is empty: expected a folder of photos, or a clip, for each person")
    for path in entries:
        name = next((group for group in same if path.name.startswith(tuple(group.split(",")))), path.name)
        if path.is_dir():
            yield name, False, photos(path)
        elif path.suffix.lower() in {".mp4", ".mkv", ".avi", ".mov"}:
            yield name, True, pictures(path)


def evaluate_faces(
    data: Path, patterns: FacePatterns, find: Callable[[Image], Detections], same: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the figures; `find` finds people in the pictures of clips."""
    names: list[str] = []
    vectors: list[Float32] = []
    n_pictures = 0
    for name, is_clip, images in people(data, same):
        for image in images:
            n_pictures += 1
            box = largest(find(image)) if is_clip else around(image)
            vector = patterns(image, box)
            if vector.any():
                names.append(name)
                vectors.append(vector[0])
    if len(set(names)) < 2 or len(set(names)) == len(names):
        raise AppError(f"{data}: expected faces of two people and two of one, found {len(names)} of {len(set(names))}")
    likeness = np.stack(vectors) @ np.stack(vectors).T
    i, j = np.triu_indices(len(names), 1)
    is_same = np.array(names)[i] == np.array(names)[j]
    of_same, of_others = likeness[i, j][is_same], likeness[i, j][~is_same]
    return {
        "task": "face_pairs",
        "dataset": data.name,
        "pictures": n_pictures,
        "n": len(names),
        "people": len(set(names)),
        "auc": round(roc_area(likeness[i, j], is_same), 4),
        "same_q05": round(float(np.quantile(of_same, 0.05)), 3),
        "others_q99": round(float(np.quantile(of_others, 0.99)), 3),
    }


def around(image: Image) -> Float32:
    """Return the box (1, 4) px of a person of whom the picture shows head and shoulders."""
    height, width = image.shape[:2]
    side = min(height, width)
    left = (width - side) / 2
    return np.array([[left, 0.0, left + side, height]], np.float32)


def largest(people: Detections) -> Float32:
    """Return the box (1, 4) px of the largest person, (0, 4) where there is none."""
    area = (people.xyxy[:, 2:] - people.xyxy[:, :2]).prod(axis=1)
    return np.asarray(people.xyxy[area.argsort(kind="stable")[-1:]], np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.evaluate.face_pairs", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--same", nargs="+", default=[], metavar="A,B", help="what begins with A or B is one person")
    given = parser.parse_args()
    try:
        with Networks() as networks:
            patterns = FacePatterns(networks.face_detector("blazeface_short"))
            figures = evaluate_faces(given.data, patterns, networks.person_detector(), given.same)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
