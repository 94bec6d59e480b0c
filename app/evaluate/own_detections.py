# SPDX-License-Identifier: Apache-2.0
"""The sequences of a folder with the boxes of the program's own detector in the place of theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.build import Networks
from app.evaluate.camera_track import PICTURES, pictures
from app.evaluate.motchallenge import MotSequence, Rows, find_sequences, read_sequence
from device.errors import AppError
from models.results import Detections


def detected(data: Path, table: str) -> list[MotSequence]:
    """Return the sequences of `data` that have pictures, searched by the detector of task `pose`; raises AppError.

    `table` is where a sequence has the detections that came with it; they are not used.
    """
    folders = [folder for folder in find_sequences(data) if (folder / PICTURES).is_dir()]
    if not folders:
        raise AppError(f"no sequence in {data} has pictures: expected a folder {PICTURES} in at least one")
    sequences = []
    with Networks() as networks:
        detector = networks.person_detector()
        for folder in folders:
            sequence = read_sequence(folder, folder / table)
            found = [detector(image) for image in pictures(folder, sequence.n_frames)]
            sequences.append(replace(sequence, detections=rows_of(found)))
    return sequences


def rows_of(found: list[Detections]) -> Rows:
    """Return the detections of frames 1, 2, ... as rows."""
    frame = np.concatenate([np.full(len(each), number) for number, each in enumerate(found, start=1)])
    xyxy = np.concatenate([each.xyxy for each in found]).astype(np.float64)
    xywh = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)
    score = np.concatenate([each.score for each in found]).astype(np.float64)
    return Rows(frame.astype(np.intp), np.full(len(frame), -1, np.intp), xywh, score)
