# SPDX-License-Identifier: Apache-2.0
"""Tracking what the program's own detector finds in the pictures of sequences."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.evaluate import own_detections
from app.evaluate.own_detections import detected, rows_of
from app.evaluate.track import TABLE, evaluate_track
from device.errors import AppError
from models.results import Detections, Image
from tests.conftest import need

N_FRAMES = 12
SCORE = 0.3
"""Below what other detections need, above what this detector does."""


class FakeNetworks:
    """In the place of the real ones: people are what is white."""

    def __enter__(self) -> FakeNetworks:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def person_detector(self) -> object:
        return self.find

    @staticmethod
    def find(image: Image) -> Detections:
        rows, columns = np.nonzero(image[:, :, 0] > 128)
        if not len(rows):
            return Detections.empty(0)
        box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
        return Detections(box, np.full(1, SCORE, np.float32), np.zeros(1, np.int32), np.zeros((1, 0, 2), np.float32))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sequences, one without pictures; the tables of detections that came with them are wrong."""
    monkeypatch.setattr(own_detections, "Networks", FakeNetworks)
    for name in ("blind", "seen"):
        (tmp_path / name / "det").mkdir(parents=True)
        (tmp_path / name / "gt").mkdir()
        (tmp_path / name / "seqinfo.ini").write_text(f"[Sequence]\nname={name}\nframeRate=25\nseqLength={N_FRAMES}\n")
        (tmp_path / name / TABLE).write_text("1,-1,5,5,9,9,0.9,-1,-1,-1\n")
        rows = [f"{frame},1,{20 + 3 * frame},30,40,80,1,-1,-1,-1\n" for frame in range(1, N_FRAMES + 1)]
        (tmp_path / name / "gt/gt.txt").write_text("".join(rows))
    (tmp_path / "seen/img1").mkdir()
    for frame in range(1, N_FRAMES + 1):
        image = np.zeros((200, 200, 3), np.uint8)
        image[30:110, 20 + 3 * frame : 60 + 3 * frame] = 255
        assert cv2.imwrite(str(tmp_path / f"seen/img1/{frame:06}.jpg"), image)
    return tmp_path


@pytest.mark.parametrize("tracker", ["sort", "hybrid"])
def test_people_are_found_in_the_pictures_and_tracked_as_the_task_does(data: Path, tracker: str) -> None:
    pytest.importorskip("trackeval")
    figures = evaluate_track(data, tracker, detections=Path("detector"))
    assert list(figures["per_item"]) == ["seen"]
    assert figures["idf1"] > 0.95
    assert figures["id_switches"] == 0
    assert "detector" in figures["conditions"]


def test_without_pictures_there_is_nothing_to_find(data: Path) -> None:
    with pytest.raises(AppError, match="pictures"):
        detected(data / "blind", TABLE)


def test_frames_without_people_leave_no_rows() -> None:
    rows = rows_of([Detections.empty(0), FakeNetworks.find(np.full((9, 7, 3), 255, np.uint8)), Detections.empty(0)])
    assert rows.frame.tolist() == [2]
    assert rows.xywh.tolist() == [[0.0, 0.0, 7.0, 9.0]]
    assert rows.score.tolist() == pytest.approx([SCORE])


def test_the_real_detector_on_real_sequences() -> None:
    pytest.importorskip("trackeval")
    figures = evaluate_track(need("mot/TUD-Campus"), "hybrid", detections=Path("detector"))
    assert figures["idf1"] > 0.75
    assert figures["id_switches"] <= 3
