# SPDX-License-Identifier: Apache-2.0
"""Pictures to look for people in: MOTChallenge folders, clips and the drawn room, each with its truth if it has one.

A clip's truth lies beside it as `<name>.gt.txt`, or is given: MOTChallenge rows, frames from 1. Only the frames that it
names are scored, so that a few pictures of a clip may be labelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.evaluate.motchallenge import find_sequences, read_rows
from app.sources.clip import Clip
from app.sources.source import EndOfStream, Source
from app.sources.synthetic_top import SyntheticTop
from device.errors import AppError
from models.results import Float32, Image

PICTURES = "img1"
ENDINGS = {".jpg", ".jpeg", ".png"}
FILMS = {".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v"}
DRAWN_FRAMES, DRAWN_FPS = 60, 1.0
"""Of the drawn room: so many pictures, so far apart that few look alike."""

Truth = dict[int, Float32]
"""Boxes (N, 4) px by frame, from 1; frames that are not in it are not scored."""


@dataclass(frozen=True, eq=False)
class Footage:
    """One sequence of pictures. What is scored in it is known only when they were read: a truth may come with them."""

    name: str
    source: Source | dict[int, Path]
    truth: Truth | None  # None = there is none, or the pictures bring it along

    def pictures(self, seen: Truth) -> Iterator[tuple[int, Image]]:
        """Yield the pictures with their frame numbers, from 1; what they bring along is added to `seen`."""
        if isinstance(self.source, dict):
            for frame, path in sorted(self.source.items()):
                yield frame, read_picture(path)
            return
        try:
            for number in range(1, 10**9):
                frame_read = self.source.read()
                if frame_read.truth is not None:
                    seen[number] = frame_read.truth.xyxy
                yield number, frame_read.image
        except EndOfStream:
            return
        finally:
            self.source.close()


def find_footage(data: Path, truth: Path | None = None) -> tuple[list[Footage], list[str]]:
    """Return what is in `data`: one sequence, a folder of them, a clip or "synthetic-top[:SEED]", opened.

    Of a folder of several sequences those without pictures are left out; their names come second. `truth` is the truth
    of a clip. Raises AppError.
    """
    if match := re.fullmatch(r"synthetic-top(?::(\d+))?", str(data)):
        room = SyntheticTop(int(match[1] or 0), fps=DRAWN_FPS, pace="max", n_frames=DRAWN_FRAMES)
        return [Footage(room.name, room, None)], []
    if truth is not None and not data.is_file():
        raise AppError(f"--truth {truth} is for a clip, and {data} is none; leave it out")
    if data.is_file():
        beside = truth or data.with_suffix(".gt.txt")
        rows = truth_of(beside) if truth is not None or beside.is_file() else None
        return [Footage(data.stem, Clip(data, "max"), rows)], []
    folders = find_sequences(data)
    blind = [folder.name for folder in folders if len(folders) > 1 and not has_pictures(folder)]
    return [open_sequence(folder) for folder in folders if folder.name not in blind], blind


def has_pictures(folder: Path) -> bool:
    return (folder / PICTURES).is_dir() or bool(films(folder))


def films(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in FILMS]


def open_sequence(folder: Path) -> Footage:
    """Return a MOTChallenge sequence, whose pictures are in img1/ or in one video file; raises AppError."""
    path, name = folder / "gt/gt.txt", folder.resolve().name
    if not path.is_file():
        raise AppError(f"{folder} holds no truth: expected gt/gt.txt")
    truth = truth_of(path)
    if not (folder / PICTURES).is_dir() and len(found := films(folder)) == 1:
        return Footage(name, Clip(found[0], "max"), truth)
    pictures = picture_paths(folder)
    if missing := sorted(set(truth) - set(pictures)):
        raise AppError(f"{folder / PICTURES} has no picture of frame {missing[0]}, which {path} tells about")
    nobody = np.zeros((0, 4), np.float32)
    return Footage(name, pictures, {frame: truth.get(frame, nobody) for frame in pictures})


def truth_of(path: Path) -> Truth:
    """Return the boxes of a MOTChallenge table that count, by frame; raises AppError with the line."""
    rows = read_rows(path)
    rows = rows.take(rows.score == 1)
    xyxy = np.concatenate([rows.xywh[:, :2], rows.xywh[:, :2] + rows.xywh[:, 2:]], axis=1).astype(np.float32)
    return {frame: xyxy[rows.frame == frame] for frame in np.unique(rows.frame).tolist()}


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
