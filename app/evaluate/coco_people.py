# SPDX-License-Identifier: Apache-2.0
"""COCO keypoint folders: `person_keypoints.json` and `images/`. Format: cocodataset.org/#format-data.

An annotation may have a box and no segmentation mask; the mask is then the box. The `area`, from which OKS takes the
size of a person, is that of the mask where none is given.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.evaluate.expression import DataError
from models.results import N_KEYPOINTS

TABLE = "person_keypoints.json"
IMAGES = "images"
PERSON = 1
"""The category of people in COCO."""
AREA_PER_BOX = 0.53
"""Part of a person's box that the person covers, on average in COCO: for a mask that is only a box."""


@dataclass(frozen=True)
class CocoPeople:
    """Annotated pictures; `dataset` is complete enough for pycocotools."""

    dataset: dict[str, Any]
    pictures: dict[int, Path]  # by image id


def read_people(data: Path) -> CocoPeople:
    """Read a folder; raises DataError with file and line for what cannot be understood."""
    path = data / TABLE
    try:
        text = path.read_text(encoding="utf-8")
        dataset = json.loads(text)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; expected COCO keypoint annotations") from error
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(f"{path}{line}: expected a JSON file of COCO annotations ({error})") from error
    for key in ("images", "annotations"):
        if not isinstance(dataset, dict) or not isinstance(dataset.get(key), list):
            raise DataError(f"{path}, line 1: expected an object with a list of {key}")
    try:
        for index, image in enumerate(dataset["images"]):
            where = "images", index
            check_image(image)
        known = {image["id"] for image in dataset["images"]}
        for index, annotation in enumerate(dataset["annotations"]):
            where = "annotations", index
            check_annotation(annotation, known)
    except ValueError as error:
        raise DataError(f"{path}, line {line_of(text, *where)}: {where[0]}[{where[1]}]: {error}") from error
    pictures = {image["id"]: data / IMAGES / image["file_name"] for image in dataset["images"]}
    return CocoPeople({**dataset, **completed(dataset)}, pictures)


def check_image(image: Any) -> None:
    """Raise ValueError unless `image` has an id and a file name."""
    if not isinstance(image, dict) or type(image.get("id")) is not int or not isinstance(image.get("file_name"), str):
        raise ValueError(f"expected an object with a whole id and a file_name, got {image!r:.80}")


def check_annotation(annotation: Any, image_ids: set[int]) -> None:
    """Raise ValueError unless `annotation` is of a known picture and has a box and 17 keypoints."""
    if not isinstance(annotation, dict):
        raise ValueError(f"expected an object, got {annotation!r:.80}")
    if annotation.get("image_id") not in image_ids:
        raise ValueError(f"expected the image_id of one of the images, got {annotation.get('image_id')!r:.80}")
    for key, n in (("bbox", 4), ("keypoints", 3 * N_KEYPOINTS)):
        if not is_numbers(annotation.get(key), n):
            raise ValueError(f"expected {n} finite numbers as {key}, got {annotation.get(key)!r:.80}")
    if min(annotation["bbox"][2:]) <= 0:
        raise ValueError(f"expected a bbox left, top, width, height with an area, got {annotation['bbox']}")
    if "area" in annotation and not is_numbers([annotation["area"]], 1):
        raise ValueError(f"expected a finite area, got {annotation['area']!r:.80}")
    for polygon in polygons(annotation):
        if not is_numbers(polygon, len(polygon) if isinstance(polygon, list) else 0) or len(polygon) < 6:
            raise ValueError(f"expected a segmentation of polygons x, y, x, y, ..., got {polygon!r:.80}")


def is_numbers(values: Any, n: int) -> bool:
    if not isinstance(values, list) or len(values) != n:
        return False
    return all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values)


def polygons(annotation: dict[str, Any]) -> list[Any]:
    """Return the polygons of the mask, none where there is no mask (or one as run lengths, which crowds have)."""
    found = annotation.get("segmentation")
    return found if isinstance(found, list) else []


def line_of(text: str, key: str, index: int) -> int:
    """Return the line (from 1) on which entry `index` of the list `key` begins; the file is known to be JSON."""
    decoder = json.JSONDecoder()
    at = text.index("[", text.index(f'"{key}"')) + 1
    for _ in range(index):
        at = skip_space(text, decoder.raw_decode(text, skip_space(text, at))[1]) + 1  # + 1: the comma
    return text.count("\n", 0, skip_space(text, at)) + 1


def skip_space(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at


def completed(dataset: dict[str, Any]) -> dict[str, Any]:
    """Return annotations and categories with what pycocotools asks for and a plain folder may leave out."""
    sizes = {image["id"]: (image.get("width"), image.get("height")) for image in dataset["images"]}
    annotations = [
        {
            "iscrowd": 0,
            "num_keypoints": sum(v > 0 for v in annotation["keypoints"][2::3]),
            "area": area(annotation, sizes[annotation["image_id"]]),
            **annotation,
            "id": number,  # pycocotools takes 0 for "not matched"
            "category_id": PERSON,
        }
        for number, annotation in enumerate(dataset["annotations"], start=1)
    ]
    return {"annotations": annotations, "categories": [{"id": PERSON, "name": "person"}]}


def area(annotation: dict[str, Any], size_wh: tuple[Any, Any]) -> float:
    """Return the area of a person in px^2: of the mask, or the usual part of a box that stands for it."""
    x, y, width, height = annotation["bbox"]
    if not polygons(annotation):
        return float(width * height * AREA_PER_BOX)
    known_wh = size_wh if all(isinstance(n, int) for n in size_wh) else (math.ceil(x + width), math.ceil(y + height))
    return float(person_mask(annotation, known_wh).sum())


def person_mask(annotation: dict[str, Any], size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which px (height, width) of a picture a person covers: the polygons, or the box where there are none."""
    mask = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    if found := polygons(annotation):
        cv2.fillPoly(mask, [np.round(np.array(polygon).reshape(-1, 2)).astype(np.int32) for polygon in found], 1)
    else:
        x, y, width, height = annotation["bbox"]
        left, top, right, bottom = (max(0, round(v)) for v in (x, y, x + width, y + height))
        mask[top:bottom, left:right] = 1
    return mask.astype(bool)
