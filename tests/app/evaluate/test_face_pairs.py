# SPDX-License-Identifier: Apache-2.0
"""Pairs of faces: figures of made-up faces, errors in words, and real people in equal clothes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.evaluate.face_pairs import evaluate_faces, largest, main, pictures
from app.opened_networks import Networks
from app.tracking.person import HybridSettings
from device.errors import AppError
from models.appearance import N_DIMENSIONS as N_CLOTHES
from models.face_appearance import FacePatterns
from models.looks import Looks
from models.results import Detections, Float32, Image
from tests.conftest import need
from tests.models.test_face_appearance import NoFace

CLIPS = ("asl_again", "asl_bird", "asl_book", "asl_brother", "asl_eat", "asl_help")
SAME = "asl_again,asl_brother,asl_help"
GREY = 110


class Codes(FacePatterns):
    """Takes the middle pixel for the person; 0 = no face."""

    def __init__(self) -> None:
        super().__init__(NoFace())

    def __call__(self, image: Image, xyxy: Float32) -> Float32:
        vectors = np.zeros((len(xyxy), 256), np.float32)
        vectors[:, image[image.shape[0] // 2, image.shape[1] // 2, 0]] = 1.0
        vectors[:, 0] = 0.0
        return vectors


def nobody(image: Image) -> Detections:
    return Detections.empty(0)


def photo(path: Path, code: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((40, 30, 3), code, np.uint8))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for person, code in (("ann", 50), ("bob", 90), ("cid", 130)):
        for k in range(3):
            photo(tmp_path / person / f"{k}.png", code if (person, k) != ("cid", 2) else 0)
    return tmp_path


def test_figures(album: Path) -> None:
    figures = evaluate_faces(album, Codes(), nobody)
    assert (figures["pictures"], figures["n"], figures["people"]) == (9, 8, 3)
    assert (figures["auc"], figures["same_q05"], figures["others_q99"]) == (1.0, 1.0, 0.0)


def test_two_names_of_one_person(album: Path) -> None:
    assert evaluate_faces(album, Codes(), nobody, ["ann,bob"])["people"] == 2


def test_a_clip_counts_twice_a_second(tmp_path: Path) -> None:
    path = tmp_path / "dan.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (32, 32))
    for _ in range(21):
        writer.write(np.full((32, 32, 3), 70, np.uint8))
    writer.release()
    assert len(list(pictures(path))) == 5
    path.write_bytes(b"no clip")
    with pytest.raises(AppError, match="nothing that can be played"):
        list(pictures(path))


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere", "is no folder"), ("empty", "is empty"), ("ann", "expected faces of two people")]
)
def test_folders_that_tell_nothing(album: Path, name: str, message: str) -> None:
    (album / "empty").mkdir()
    with pytest.raises(AppError, match=message):
        evaluate_faces(album / name, Codes(), nobody)


def test_a_photo_that_cannot_be_read_is_named(album: Path) -> None:
    (album / "bob" / "1.png").write_bytes(b"nothing")
    with pytest.raises(AppError, match=r"1\.png"):
        evaluate_faces(album, Codes(), nobody)


def test_as_a_command(album: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["face_pairs", "--data", str(album / "nowhere")])
    assert main() == 1
    assert "is no folder" in capsys.readouterr().err


def looks_in_equal_clothes(
    patterns: FacePatterns, find: Callable[[Image], Detections]
) -> Iterator[tuple[str, Float32]]:
    """Yield person and looks of six clips in one room; all below the chin is painted in one grey."""
    looks = Looks(patterns)
    for name in CLIPS:
        for image in pictures(need(f"videos/{name}.mkv")):
            body = largest(find(image))
            faces = patterns.search(image, body[0].astype(np.float64)).xyxy
            if len(faces):
                image[int(faces[0, 3]) :] = GREY
                yield SAME if name in SAME.split(",") else name, looks(image, body)[0]


def test_real_people_in_equal_clothes_are_told_apart_by_their_faces() -> None:
    """Four people in six clips; by their clothes nearly all would pass for one person."""
    with Networks() as networks:
        patterns = FacePatterns(networks.face_detector("blazeface_short"))
        rows = list(looks_in_equal_clothes(patterns, networks.person_detector()))
    names, vectors = [name for name, _ in rows], [vector for _, vector in rows]
    pairs = [(i, j) for j in range(len(rows)) for i in range(j)]
    same = np.array([names[i] == names[j] for i, j in pairs])
    by_clothes = np.array([float(vectors[i][:N_CLOTHES] @ vectors[j][:N_CLOTHES]) for i, j in pairs])
    by_both = np.array([Looks.likeness(vectors[i], vectors[j]) for i, j in pairs])
    take = HybridSettings().take_similarity
    assert len(rows) >= 25
    assert (by_clothes[~same] >= take).mean() > 0.9
    assert (by_both[~same] >= take).mean() < 0.2
    assert (by_both[same] >= take).mean() > 0.9
