# SPDX-License-Identifier: Apache-2.0
"""Reading and scoring MOTChallenge folders, against numbers worked out by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from app.evaluate.motchallenge import detections_by_frame, find_sequences, read_rows, read_sequence, write_results
from app.evaluate.track import evaluate_track, metric_arrays, score
from device.errors import AppError
from models.results import Tracks

SEQINFO = "[Sequence]\nname=toy\nframeRate=10\nseqLength={}\n"


def make_sequence(folder: Path, n_frames: int = 10) -> Path:
    """One object that walks right, found in every frame; a second truth row that does not count."""
    for name in ("det", "gt"):
        (folder / name).mkdir(parents=True)
    rows = [(frame, 100 + 3 * frame) for frame in range(1, n_frames + 1)]
    (folder / "det/det.txt").write_text("".join(f"{f},-1,{x},50,40,80,0.9,-1,-1,-1\n" for f, x in rows))
    truth = [f"{f},7,{x},50,40,80,1,-1,-1,-1\n{f},8,400,50,40,80,0,-1,-1,-1\n" for f, x in rows]
    (folder / "gt/gt.txt").write_text("".join(truth))
    (folder / "seqinfo.ini").write_text(SEQINFO.format(n_frames))
    return folder


def tracks(*rows: tuple[int, float]) -> Tracks:
    """Boxes 10x10 px at y 0: (number, x)."""
    n = len(rows)
    xyxy = np.array([[x, 0.0, x + 10.0, 10.0] for _, x in rows], np.float32).reshape(-1, 4)
    ones = np.ones(n, np.float32)
    number = np.array([number for number, _ in rows], np.int64)
    return Tracks(number, xyxy, np.zeros((n, 2), np.float32), ones, ones, np.arange(n, dtype=np.int32))


def test_figures_by_hand(tmp_path: Path) -> None:
    """Four frames, one object: found as 1, found as 1, missed, found as 2 beside a false box 3.

    MOTA = 1 - (1 FN + 1 FP + 1 switch) / 4 = 1/4. IDF1: number 1 covers 2 of 4 truth boxes, 4 boxes were given, so
    2 * 2 / (4 + 4) = 1/2. HOTA at every threshold: 3 TP, 1 FN, 1 FP, so DetA = 3/5; the two boxes of number 1 have
    association 2 / (4 + 2 - 2), the one of number 2 has 1 / (4 + 1 - 1), so AssA = 5/12 and HOTA = sqrt(1/4).
    """
    pytest.importorskip("trackeval")
    (tmp_path / "gt.txt").write_text("".join(f"{frame},5,0,0,10,10,1,-1,-1,-1\n" for frame in range(1, 5)))
    found = [tracks((1, 0)), tracks((1, 0)), tracks(), tracks((2, 0), (3, 50))]
    total, items = score([metric_arrays(read_rows(tmp_path / "gt.txt"), found)])
    expected = {"mota": 0.25, "idf1": 0.5, "hota": 0.5, "id_switches": 1, "n": 4}
    assert total == pytest.approx(expected)
    assert items == [pytest.approx(expected)]


def test_combined_figures_count_boxes_not_sequences(tmp_path: Path) -> None:
    """One sequence of 4 boxes all found, one of 1 box missed: MOTA 4/5, not the mean of 1 and 0."""
    pytest.importorskip("trackeval")
    (tmp_path / "long.txt").write_text("".join(f"{frame},5,0,0,10,10,1,-1,-1,-1\n" for frame in range(1, 5)))
    (tmp_path / "short.txt").write_text("1,5,0,0,10,10,1,-1,-1,-1\n")
    long = metric_arrays(read_rows(tmp_path / "long.txt"), [tracks((1, 0))] * 4)
    short = metric_arrays(read_rows(tmp_path / "short.txt"), [tracks()])
    total, items = score([long, short])
    assert total["mota"] == pytest.approx(0.8)
    assert [item["mota"] for item in items] == [1.0, 0.0]
    assert total["n"] == 5


def test_one_sequence_end_to_end(tmp_path: Path) -> None:
    """The number comes in the third of ten frames: 2 of 10 boxes missed, the row that does not count ignored."""
    pytest.importorskip("trackeval")
    folder = make_sequence(tmp_path / "toy")
    figures = evaluate_track(folder, results=tmp_path / "results")
    assert figures["mota"] == pytest.approx(0.8)
    assert figures["idf1"] == pytest.approx(2 * 8 / 18)
    assert (figures["n"], figures["frames"], figures["id_switches"]) == (10, 10, 0)
    assert figures["hz"] > 0.0
    assert list(figures["per_item"]) == ["toy"]
    json.dumps(figures, allow_nan=False)
    written = read_rows(tmp_path / "results/toy.txt")
    assert written.frame.tolist() == list(range(3, 11))
    assert set(written.object_id.tolist()) == {1}
    np.testing.assert_allclose(written.xywh[-1], [130, 50, 40, 80], atol=1.0)
    assert (tmp_path / "results/toy.txt").read_text().splitlines()[0].endswith(",0.9000,-1,-1,-1")


def test_other_detections_replace_the_own(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    make_sequence(tmp_path / "data/a")
    make_sequence(tmp_path / "data/b")
    make_sequence(tmp_path / "other/a")
    make_sequence(tmp_path / "other/b")
    make_sequence(tmp_path / "other/only-here")
    (tmp_path / "other/b/det/det.txt").write_text("1,-1,0,0,9,9,0.9,-1,-1,-1\n")
    figures = evaluate_track(tmp_path / "data", detections=tmp_path / "other")
    assert figures["per_item"]["a"]["mota"] == pytest.approx(0.8)
    assert figures["per_item"]["b"]["mota"] == 0.0
    assert set(figures["per_item"]["only-here"]) == {"frames", "hz"}
    assert figures["mota"] == pytest.approx(0.4)
    one = evaluate_track(tmp_path / "data/a", detections=tmp_path / "other/b")
    assert one["mota"] == 0.0


def test_result_file_reads_back(tmp_path: Path) -> None:
    write_results(tmp_path / "out/toy.txt", [tracks(), tracks((4, 12.25), (9, 30))])
    rows = read_rows(tmp_path / "out/toy.txt")
    assert rows.frame.tolist() == [2, 2]
    assert rows.object_id.tolist() == [4, 9]
    np.testing.assert_array_equal(rows.xywh, [[12.25, 0, 10, 10], [30, 0, 10, 10]])


def test_detections_by_frame(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "toy", n_frames=3)
    (folder / "det/det.txt").write_text("3,-1,5,6,10,20,0.2\n1,-1,1,2,3,4,-0.5\n3,-1,7,8,10,20,45.5\n")
    sequence = read_sequence(folder, folder / "det/det.txt")
    frames = detections_by_frame(sequence)
    assert [len(found) for found in frames] == [1, 0, 2]
    np.testing.assert_allclose(frames[2].xyxy, [[7, 8, 17, 28], [5, 6, 15, 26]])
    np.testing.assert_allclose(frames[2].score, [1.0, 0.2])
    assert frames[0].score.tolist() == [0.0]
    assert sequence.t_ns(3) == 200_000_000


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("1,-1,2,3,4", "line 2: expected frame,id,left,top,width,height,score"),
        ("1,-1,2,3,x,5,1", "line 2: expected numbers"),
        ("0,-1,2,3,4,5,1", "line 2: expected finite numbers and a whole frame number"),
        ("1.5,-1,2,3,4,5,1", "line 2: expected finite numbers and a whole frame number"),
        ("1,-1,2,nan,4,5,1", "line 2: expected finite numbers and a whole frame number"),
    ],
)
def test_malformed_line_is_named(tmp_path: Path, line: str, wanted: str) -> None:
    folder = make_sequence(tmp_path / "toy")
    (folder / "det/det.txt").write_text(f"1,-1,2,3,4,5,0.9\n{line}\n")
    with pytest.raises(AppError, match=rf"det\.txt, {wanted}"):
        evaluate_track(folder)


def test_missing_things_are_named(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="nowhere is not a folder"):
        evaluate_track(tmp_path / "nowhere")
    with pytest.raises(AppError, match="holds no MOTChallenge sequence"):
        find_sequences(tmp_path)
    folder = make_sequence(tmp_path / "toy")
    with pytest.raises(AppError, match=r"no tracker is called 'magic': expected one of .*sort"):
        evaluate_track(folder, tracker="magic")
    with pytest.raises(AppError, match="elsewhere is not a folder"):
        evaluate_track(folder, detections=tmp_path / "elsewhere")
    (folder / "gt/gt.txt").unlink()
    with pytest.raises(AppError, match=r"holds no truth: expected gt/gt\.txt"):
        evaluate_track(folder)
    (folder / "det/det.txt").unlink()
    with pytest.raises(AppError, match=r"det\.txt is not here"):
        evaluate_track(folder)


@pytest.mark.parametrize(
    "text", ["[Other]\n", "[Sequence]\nframeRate=fast\nseqLength=3\n", SEQINFO.format(3)[:-1] + "x"]
)
def test_unreadable_seqinfo_is_named(tmp_path: Path, text: str) -> None:
    folder = make_sequence(tmp_path / "toy")
    (folder / "seqinfo.ini").write_text(text)
    with pytest.raises(AppError, match=r"seqinfo\.ini: expected \[Sequence\]"):
        evaluate_track(folder)


def test_frame_rate_must_be_above_zero(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "toy")
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=0\nseqLength=3\n")
    with pytest.raises(AppError, match="frameRate above 0"):
        evaluate_track(folder)


def test_missing_trackeval_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(AppError, match="make setup"):
        evaluate_track(make_sequence(tmp_path / "toy"))
