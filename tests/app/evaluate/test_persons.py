# SPDX-License-Identifier: Apache-2.0
"""Figures of the person detector worked out by hand, and folders that are not what they should be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.build import Networks
from app.evaluate.footage import Footage
from app.evaluate.motchallenge import read_rows
from app.evaluate.persons import Found, average_precision, evaluate_persons, hits_of, score, search
from app.sources.synthetic_top import SyntheticTop
from device.errors import AppError
from models.persons_tiled import person_search
from models.results import Detections, Float32
from tests.conftest import need


def found(boxes: list[list[float]], scores: list[float]) -> Detections:
    n = len(boxes)
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(xyxy, np.array(scores, np.float32), np.zeros(n, np.int32), np.zeros((n, 0, 2), np.float32))


def truth(*boxes: list[float]) -> Float32:
    return np.array(boxes, np.float32).reshape(-1, 4)


A, B, FAR = [0.0, 0.0, 10.0, 20.0], [100.0, 0.0, 110.0, 20.0], [300.0, 0.0, 310.0, 20.0]
NEAR_A, HALF_A = [0.0, 0.0, 10.0, 19.0], [0.0, 0.0, 10.0, 9.9]


def test_a_person_is_found_once() -> None:
    assert hits_of(found([A, NEAR_A, FAR], [0.9, 0.8, 0.7]), truth(A, B)).tolist() == [True, False, False]
    assert hits_of(found([HALF_A], [0.9]), truth(A)).tolist() == [False]
    assert hits_of(found([A], [0.9]), truth()).tolist() == [False]
    assert hits_of(found([], []), truth(A)).tolist() == []


def test_figures_by_hand() -> None:
    """Three people in two frames; by score: hit, false, hit. Precision at recall 1/3 is 1, at 2/3 it is 2/3."""
    sequence = Found(
        "toy", {1: found([A, FAR], [0.9, 0.8]), 2: found([B], [0.7])}, {1: truth(A, B), 2: truth(B)}, [1.0]
    )
    expected = {"recall": 2 / 3, "precision": 2 / 3, "f1": 2 / 3, "ap": (1 + 2 / 3) / 3, "n": 3, "frames": 2}
    assert score([sequence]) == pytest.approx(expected)


def test_figures_without_anything_to_divide_by() -> None:
    nobody = Found("toy", {1: found([], [])}, {1: truth()}, [1.0])
    assert score([nobody]) == {"recall": None, "precision": None, "f1": None, "ap": None, "n": 0, "frames": 1}
    assert average_precision(np.zeros(0, bool), 3) == 0.0
    assert average_precision(np.ones(3, bool), 3) == 1.0


def sequence(folder: Path, n_pictures: int = 2, rows: str = "1,1,5,5,10,20,1,-1,-1,-1\n") -> Path:
    for name in ("gt", "img1"):
        (folder / name).mkdir(parents=True)
    (folder / "gt/gt.txt").write_text(rows)
    for k in range(1, n_pictures + 1):
        cv2.imwrite(str(folder / f"img1/{k:06}.jpg"), np.full((48, 64, 3), 90, np.uint8))
    return folder


def test_a_sequence_of_nobody_found(tmp_path: Path) -> None:
    figures = evaluate_persons(sequence(tmp_path / "toy"), results=tmp_path / "results")
    assert (figures["recall"], figures["precision"], figures["n"], figures["frames"]) == (0.0, None, 1, 2)
    assert figures["ms_p50"] > 0
    assert (tmp_path / "results/toy.txt").read_text() == ""


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "gt/gt.txt").write_text("1,1,5,5,10,20,1\n1,2,x,5,10,20,1\n"), "gt.txt, line 2: expected num"),
        (lambda f: (f / "gt/gt.txt").write_text("3,1,5,5,10,20,1\n"), "img1 has no picture of frame 3"),
        (lambda f: (f / "img1/000002.jpg").write_bytes(b"no picture"), "000002.jpg is not a picture that can be read"),
        (lambda f: (f / "img1/000002.jpg").rename(f / "img1/two.jpg"), "two.jpg: expected a frame number as"),
        (lambda f: (f / "gt/gt.txt").rename(f / "det.txt"), "holds no MOTChallenge sequence"),
    ],
)
def test_a_broken_sequence_is_told_in_one_sentence(tmp_path: Path, spoil: object, message: str) -> None:
    folder = sequence(tmp_path / "toy")
    assert callable(spoil)
    spoil(folder)
    with pytest.raises(AppError, match=message) as caught:
        evaluate_persons(folder)
    assert "\n" not in str(caught.value)


def test_of_several_sequences_those_without_pictures_are_named(tmp_path: Path) -> None:
    sequence(tmp_path / "a")
    (sequence(tmp_path / "b", 0) / "img1").rmdir()
    figures = evaluate_persons(tmp_path)
    assert (figures["without_pictures"], list(figures["per_item"])) == (["b"], ["a"])
    with pytest.raises(AppError, match="img1 holds no picture"):
        evaluate_persons(tmp_path / "b")


@pytest.mark.parametrize(("precision", "backend"), [("int8", "auto"), ("w1a2", "lowbit"), ("float", "gpu")])
def test_what_the_detector_does_not_run_on_is_refused(tmp_path: Path, precision: str, backend: str) -> None:
    with pytest.raises(AppError, match="people are found by a float network on the cpu, not at"):
        evaluate_persons(sequence(tmp_path / "toy"), precision, backend)


def test_detector_on_pictures_of_the_mot_folders(tmp_path: Path) -> None:
    """Every sixth picture of TUD-Campus; the card has the figures of all."""
    source = need("mot/TUD-Campus")
    rows = read_rows(source / "gt/gt.txt")
    folder = sequence(tmp_path / "TUD-Campus", 0)
    kept = range(1, 72, 6)
    for frame in kept:
        (folder / f"img1/{frame:06}.jpg").symlink_to((source / f"img1/{frame:06}.jpg").resolve())
    lines = [
        f"{f},{i},{','.join(map(str, box))},{s:g}\n"
        for f, i, box, s in zip(rows.frame, rows.object_id, rows.xywh.tolist(), rows.score, strict=True)
        if f in kept
    ]
    (folder / "gt/gt.txt").write_text("".join(lines))
    figures = evaluate_persons(folder, results=tmp_path / "results")
    assert figures["f1"] > 0.8
    assert figures["recall"] > 0.75
    written = read_rows(tmp_path / "results/TUD-Campus.txt")
    assert set(written.frame.tolist()) == set(kept)
    assert (written.object_id == -1).all()


def film(path: Path, n_frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    for _ in range(n_frames):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    return path


def test_a_clip_without_truth_gives_detections_and_counts(tmp_path: Path) -> None:
    figures = evaluate_persons(film(tmp_path / "hall.mp4", 3), results=tmp_path / "results")
    assert figures["counts"] == {"pictures": 3, "boxes": 0, "mean": 0.0, "most": 0}
    assert (figures["recall"], figures["f1"], figures["n"], figures["frames"]) == (None, None, 0, 0)
    assert figures["ms_p50"] > 0
    assert (tmp_path / "results/hall.txt").read_text() == ""


def test_a_clip_is_scored_in_the_frames_of_its_truth(tmp_path: Path) -> None:
    clip = film(tmp_path / "hall.mp4", 3)
    (tmp_path / "hall.gt.txt").write_text("2,1,5,5,10,20,1\n2,2,30,5,10,20,1\n3,1,5,5,10,20,0\n")
    figures = evaluate_persons(clip)
    assert (figures["recall"], figures["n"], figures["frames"], figures["counts"]["pictures"]) == (0.0, 2, 1, 3)
    (tmp_path / "other.txt").write_text("1,1,5,5,10,20,1\n")
    assert evaluate_persons(clip, truth=tmp_path / "other.txt")["n"] == 1


def test_a_sequence_may_have_a_clip_instead_of_pictures(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "toy", 0)
    (folder / "img1").rmdir()
    film(folder / "toy.mp4", 2)
    figures = evaluate_persons(folder)
    assert (figures["n"], figures["frames"], figures["counts"]["pictures"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,1,5,5,10\n", "hall.gt.txt, line 1: expected frame,id,left"),
        ("9,1,5,5,10,20,1\n", "hall has 3 pictures, its truth tells about frame 9"),
    ],
)
def test_a_broken_truth_of_a_clip_is_told_in_one_sentence(tmp_path: Path, rows: str, message: str) -> None:
    clip = film(tmp_path / "hall.mp4", 3)
    (tmp_path / "hall.gt.txt").write_text(rows)
    with pytest.raises(AppError, match=message):
        evaluate_persons(clip)


def test_what_is_no_clip_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(AppError, match=r"text\.mp4"):
        evaluate_persons(tmp_path / "text.mp4")
    with pytest.raises(AppError, match=r"--truth .* is for a clip"):
        evaluate_persons(tmp_path, truth=tmp_path / "gt.txt")
    with pytest.raises(AppError, match=r"--truth|gt\.txt is not here"):
        evaluate_persons(film(tmp_path / "a.mp4", 1), truth=tmp_path / "gt.txt")


def test_turned_tiles_find_more_people_below_a_ceiling_camera() -> None:
    """The drawn room, with other seeds than the tiles were tuned on."""
    with Networks() as networks:
        detector = networks.person_detector()
        f1 = {}
        for view in ("eye", "top"):
            rooms = [SyntheticTop(seed, fps=0.5, pace="max", n_frames=10) for seed in (40, 41)]
            finder = person_search(detector, view)
            f1[view] = score([search(Footage(room.name, room, None), finder) for room in rooms])["f1"]
    assert f1["top"] > 0.65
    assert f1["top"] > f1["eye"] + 0.05


def test_upright_tiles_find_more_people_seen_from_high_up() -> None:
    """Two pictures of a crossing, labelled by hand."""
    clip = need("videos/overhead_elevated.mp4")
    labels = Path(__file__).parents[2] / "data/overhead_labels.txt"
    f1 = {view: evaluate_persons(clip, view=view, truth=labels)["f1"] for view in ("eye", "high")}
    assert f1["high"] > 0.7
    assert f1["eye"] < 0.3
