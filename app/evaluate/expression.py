# SPDX-License-Identifier: Apache-2.0
"""Accuracy of the expression network on labelled 48x48 faces, through the class the program runs."""

from __future__ import annotations

import statistics
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.backends import resolve_backend
from app.build import Networks
from device.errors import AppError
from models.expression import SIZE
from models.results import Float32, Image

PUBLIC_TEST = 1
N_CLASSES = 7


class DataError(AppError):
    """Evaluation data that are missing or not in the format expected."""


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    image: Image  # (N, 48, 48) grey
    label: NDArray[np.int64]  # (N,)
    conditions: str


def evaluate_expression(
    path: Path, precision: str, backend: str, subset: str = "all", results: Path | None = None
) -> dict[str, Any]:
    """Return top1, recall and confusion (rows = label, columns = found) with `n`, ms and the conditions.

    `path` is an .npz with X (N, 48, 48) uint8, y (N,) and optional usage/clean masks, or a folder with one a class.
    """
    used = resolve_backend(backend, precision)
    with Networks() as networks:
        network = networks.expression(used, precision)
        labels = network.labels
        faces = load_npz(path, subset) if path.suffix == ".npz" else load_folders(path, labels)
        prob, ms = np.zeros((len(faces.label), len(labels)), np.float32), []
        for k, face in enumerate(faces.image):
            start_ns = time.perf_counter_ns()
            prob[k] = network.classify_grey(face)
            ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        np.save(results / "scores.npy", prob)
    return {
        **score(prob, faces.label, labels),
        "ms_p50": round(statistics.median(ms), 4),
        "precision": precision,
        "backend": used,
        "conditions": f"{faces.conditions}; one pass a face, no flip averaging, one thread",
    }


def score(prob: Float32, label: NDArray[np.int64], labels: tuple[str, ...]) -> dict[str, Any]:
    """Return top1, recall by class (null for a class without rows), confusion and n."""
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (label, prob.argmax(1)), 1)
    totals = confusion.sum(1)
    recall = {name: confusion[k, k] / totals[k] if totals[k] else None for k, name in enumerate(labels)}
    return {
        "top1": float(np.trace(confusion) / len(label)),
        "recall": recall,
        "confusion": confusion.tolist(),
        "labels": list(labels),
        "n": len(label),
    }


def load_npz(path: Path, subset: str) -> LabelledFaces:
    """Read an .npz; with a `usage` mask only PublicTest rows count, `subset` "clean" needs the `clean` mask."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            image, label = file["X"], file["y"].astype(np.int64)
            usage, clean = (file.get(name) for name in ("usage", "clean"))
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not an .npz with X (N,48,48) uint8 and y (N,): {error}") from error
    if image.ndim != 3 or image.shape[1:] != (SIZE, SIZE) or image.dtype != np.uint8 or label.shape != image.shape[:1]:
        raise DataError(
            f"{path}: expected X (N, 48, 48) uint8 and y (N,), found X {image.shape} {image.dtype}, y {label.shape}"
        )
    if len(label) and not 0 <= label.min() <= label.max() < N_CLASSES:
        raise DataError(f"{path}: expected y from 0 to {N_CLASSES - 1}, found {label.min()} to {label.max()}")
    for name, mask in (("usage", usage), ("clean", clean)):
        if mask is not None and mask.shape != label.shape:
            raise DataError(f"{path}: expected {name} {label.shape}, found {mask.shape}")
    rows = np.ones(len(label), bool) if usage is None else usage == PUBLIC_TEST
    if subset == "clean":
        if clean is None:
            raise DataError(f"{path} has no `clean` mask; use --subset all")
        rows = clean.astype(bool)
    if not rows.any():
        raise DataError(f"{path} has no row to score (subset {subset})")
    part = "all rows" if usage is None else "PublicTest rows"
    kind = "clean PublicTest rows (no pixel-equal Training picture)" if subset == "clean" else part
    return LabelledFaces(image[rows], label[rows], f"{path.name}, {kind}")


def load_folders(path: Path, labels: tuple[str, ...]) -> LabelledFaces:
    """Read a folder with one folder of pictures a class, named like the labels."""
    if not path.is_dir():
        raise DataError(f"{path} is neither an .npz file nor a folder with a folder a class; check --data")
    images, numbers = [], []
    for k, name in enumerate(labels):
        for file in sorted((path / name).glob("*")):
            grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            if grey is None:
                raise DataError(f"{file} is not a picture that can be read; remove it")
            images.append(cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
            numbers.append(k)
    if not images:
        raise DataError(f"{path} has no pictures in folders named {', '.join(labels)}")
    return LabelledFaces(np.stack(images).astype(np.uint8), np.array(numbers, np.int64), f"{path.name}, folders")
