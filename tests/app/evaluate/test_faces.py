# SPDX-License-Identifier: Apache-2.0
"""Counting faces: what is expected of a file, what counts as found, and the files it leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from app.evaluate.expression import DataError
from app.evaluate.faces import evaluate_faces, has_middle, read_boxes, read_counts
from device.errors import AppError
from models.fetch import FetchError, fetched
from tests.app.sources.films import write_film

FACE_XYWH = (175, 62, 90, 90)
"""The astronaut's face in the picture of 512x512."""


@pytest.fixture
def astronaut(tmp_path: Path) -> Path:
    """Return a folder with the picture `astronaut.png`."""
    try:
        path = fetched("astronaut.png")
    except FetchError as error:
        pytest.skip(str(error))
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(path, folder)
    return folder


def annotation(*boxes: tuple[int, ...], file: str = "astronaut.png") -> str:
    rows = "".join(f"<box left='{x}' top='{y}' width='{w}' height='{h}'/>" for x, y, w, h in boxes)
    return f"<dataset><images><image file='{file}'>{rows}</image></images></dataset>"


def test_box_of_the_annotation_is_found(astronaut: Path, tmp_path: Path) -> None:
    (astronaut / "boxes.xml").write_text(annotation(FACE_XYWH))
    found = evaluate_faces(astronaut, tmp_path / "deep/results")
    assert (found["recall"], found["expected"], found["found"], found["n"], found["frames"]) == (1.0, 1, 1, 1, 1)
    assert found["per_item"]["astronaut.png"]["found"] == 1
    assert (tmp_path / "deep/results/astronaut.png.csv").read_text() == "0,1\n"
    json.dumps(found, allow_nan=False)


def test_box_where_no_face_is_counts_as_missed(astronaut: Path) -> None:
    (astronaut / "boxes.xml").write_text(annotation(FACE_XYWH, (400, 400, 90, 90)))
    found = evaluate_faces(astronaut)
    assert (found["expected"], found["found"], found["recall"]) == (2, 1, 0.5)


@pytest.mark.parametrize(("count", "expected", "found", "false"), [(0, 0, 0, 1), (1, 1, 1, 0), (3, 3, 1, 0)])
def test_expected_count(astronaut: Path, count: int, expected: int, found: int, false: int) -> None:
    (astronaut / "expected.json").write_text(json.dumps({"astronaut.png": count}))
    figures = evaluate_faces(astronaut)
    assert (figures["expected"], figures["found"], figures["false_frames"]) == (expected, found, false)
    assert figures["recall"] == (found / expected if expected else None)


def test_one_picture_expects_a_face_in_its_middle(astronaut: Path) -> None:
    """The astronaut's face is above the middle: it does not count."""
    figures = evaluate_faces(astronaut / "astronaut.png")
    assert (figures["expected"], figures["found"]) == (1, 0)


def test_clip_expects_a_face_in_every_frame(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.avi", 5)
    figures = evaluate_faces(film, tmp_path / "results")
    assert (figures["frames"], figures["expected"], figures["found"]) == (5, 5, 0)
    assert (tmp_path / "results/film.avi.csv").read_text() == "0,0\n1,0\n2,0\n3,0\n4,0\n"


def test_pictures_without_annotation_are_left_out(astronaut: Path) -> None:
    shutil.copy(astronaut / "astronaut.png", astronaut / "other.png")
    (astronaut / "boxes.xml").write_text(annotation(FACE_XYWH))
    assert list(evaluate_faces(astronaut)["per_item"]) == ["astronaut.png"]


def test_annotation_of_other_pictures_is_named(astronaut: Path) -> None:
    (astronaut / "boxes.xml").write_text(annotation(FACE_XYWH, file="elsewhere.png"))
    with pytest.raises(DataError, match=r"no picture in .* is named in its \.xml; expected elsewhere\.png"):
        evaluate_faces(astronaut)


def test_missing_and_broken_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no picture or clip"):
        evaluate_faces(tmp_path)
    with pytest.raises(DataError, match="holds no picture or clip"):
        evaluate_faces(tmp_path / "nowhere")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    with pytest.raises(AppError, match=r"cut\.png"):
        evaluate_faces(tmp_path)


@pytest.mark.parametrize("text", ["<dataset>", "<d><image file='a.png'><box left='x'/></image></d>", ""])
def test_broken_annotation_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.xml").write_text(text)
    with pytest.raises(DataError, match=r"boxes\.xml is not a dlib-style list of boxes"):
        read_boxes(tmp_path)


@pytest.mark.parametrize("text", ["[1]", "{", '{"a.png": "many"}', '{"a.png": null}'])
def test_broken_counts_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "expected.json").write_text(text)
    with pytest.raises(DataError, match=r"expected\.json: expected a JSON object of file names and numbers"):
        read_counts(tmp_path)


def test_boxes_are_read_as_edges(tmp_path: Path) -> None:
    (tmp_path / "boxes.xml").write_text(annotation((1, 2, 30, 40), (5, 6, 7, 8)))
    (tmp_path / "boxes_landmarks.xml").write_text("broken: not looked at")
    found = read_boxes(tmp_path)
    np.testing.assert_array_equal(found["astronaut.png"], [[1, 2, 31, 42], [5, 6, 12, 14]])


def test_middle() -> None:
    boxes = np.array([[0, 0, 49, 100], [40, 40, 60, 60]], np.float32)
    assert has_middle(boxes, (100, 100))
    assert not has_middle(boxes[:1], (100, 100))
    assert not has_middle(boxes[:0], (100, 100))
