# SPDX-License-Identifier: Apache-2.0
"""The hybrid in the evaluation, and the study of what looks gain: on a made-up sequence and on the real ones."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.evaluate.reid_plot import plot_svg
from app.evaluate.reid_study import BUDGETS, area_under_curve, changed, main, measure, pair_figures, read_scenes, study
from app.evaluate.track import evaluate_track
from app.tracking.person import HybridSettings
from device.errors import AppError
from tests.conftest import need

N_FRAMES = 60
SEQINFO = f"[Sequence]\nname=toy\nframeRate=10\nseqLength={N_FRAMES}\n"
COLOURS = {1: (30, 30, 220), 2: (220, 60, 30)}  # BGR


def place(person: int, frame: int) -> float:
    return 40.0 + 3 * frame if person == 1 else 400.0 - 2 * frame


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """Two people in different clothes; the first one is not found for two seconds in the middle."""
    for name in ("det", "gt", "img1"):
        (tmp_path / "toy" / name).mkdir(parents=True)
    det, truth = [], []
    for frame in range(1, N_FRAMES + 1):
        image = np.full((200, 480, 3), 120, np.uint8)
        for person, colour in COLOURS.items():
            x = place(person, frame)
            y = 20 if person == 1 else 100
            image[y : y + 80, int(x) : int(x) + 40] = colour
            truth.append(f"{frame},{person},{x},{y},40,80,1,-1,-1,-1\n")
            if person == 2 or not 20 <= frame < 40:
                det.append(f"{frame},-1,{x},{y},40,80,0.9,-1,-1,-1\n")
        cv2.imwrite(str(tmp_path / f"toy/img1/{frame:06}.jpg"), image)
    (tmp_path / "toy/det/det.txt").write_text("".join(det))
    (tmp_path / "toy/gt/gt.txt").write_text("".join(truth))
    (tmp_path / "toy/seqinfo.ini").write_text(SEQINFO)
    return tmp_path / "toy"


def test_looks_give_the_number_back_that_sort_loses(toy: Path) -> None:
    pytest.importorskip("trackeval")
    sort, hybrid = evaluate_track(toy), evaluate_track(toy, "hybrid")
    assert (sort["id_switches"], hybrid["id_switches"]) == (1, 0)
    assert hybrid["idf1"] > sort["idf1"] + 0.1
    assert 0.0 < hybrid["embedding_calls_per_frame"] <= 0.5
    assert "embedding_calls_per_frame" not in sort
    assert hybrid["per_item"]["toy"]["embedding_calls_per_frame"] == hybrid["embedding_calls_per_frame"]


def test_without_pictures_the_hybrid_is_sort(toy: Path) -> None:
    pytest.importorskip("trackeval")
    for path in (toy / "img1").iterdir():
        path.unlink()
    (toy / "img1").rmdir()
    sort, hybrid = evaluate_track(toy), evaluate_track(toy, "hybrid")
    same = [key for key in sort if key not in ("hz", "tracker", "per_item")]
    assert {key: hybrid.get(key) for key in same} == {key: sort[key] for key in same}
    assert "embedding_calls_per_frame" not in hybrid


def test_a_missing_picture_is_named(toy: Path) -> None:
    (toy / "img1/000007.jpg").unlink()
    with pytest.raises(AppError, match=r"000007\.jpg"):
        evaluate_track(toy, "hybrid")


def test_the_study_and_its_plot(toy: Path) -> None:
    pytest.importorskip("trackeval")
    rows = study(read_scenes(toy, None), [0, 1])
    assert [row["way"] for row in rows] == ["sort", *(f"budget {b:g}" for b in BUDGETS), "every box"]
    assert rows[0]["embedding_calls_per_frame"] == rows[0]["idf1_gain"] == rows[1]["embedding_calls_per_frame"] == 0.0
    assert rows[-1]["embedding_calls_per_frame"] > 1.0
    assert all(row["embedding_calls_per_frame"] <= b + 0.1 for row, b in zip(rows[1:], BUDGETS, strict=False))
    assert rows[4]["idf1_gain"] > 0.1
    plot = ElementTree.fromstring(plot_svg(rows))
    assert len(plot.findall(".//{http://www.w3.org/2000/svg}circle")) == 2 * len(rows)


def test_pairs_of_people_in_different_clothes_are_told_apart(toy: Path) -> None:
    figures = pair_figures(read_scenes(toy, None)[0])
    assert figures["auc_all"] == 1.0
    assert figures["n_all"] == 2 * N_FRAMES


def test_area_under_the_curve_by_hand(toy: Path) -> None:
    """Four vectors far apart in time: of the comparisons of a same pair with one of two, half are right."""
    truth = read_scenes(toy, None)[0].truth
    rows = truth.take(np.isin(truth.frame, (1, 21)))
    assert rows.object_id.tolist() == [1, 2, 1, 2]
    angles = np.deg2rad([0.0, 40.0, 30.0, 80.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # Pairs 20 frames apart: same 1-1: 30 deg, 2-2: 40 deg; other: 1-2: 80 deg, 2-1: 10 deg.
    assert area_under_curve(vectors, rows) == pytest.approx(0.5)


def test_changed_boxes_are_the_same_for_a_seed(toy: Path) -> None:
    sequence = read_scenes(toy, None)[0].sequence
    a, b, c = (changed(sequence, seed).detections for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.xywh, b.xywh)
    assert a.xywh.shape != c.xywh.shape or (a.xywh != c.xywh).any()
    assert changed(sequence, 0) is sequence


def test_as_a_command(toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["reid_study", "--data", str(toy / "img1")])
    assert main() == 1
    assert "no MOTChallenge sequence" in capsys.readouterr().err


def test_the_default_on_sequences_with_pictures() -> None:
    """Both detectors, two sequences, as they are: 3 points above SORT, 30 % fewer switches, half a look a frame."""
    pytest.importorskip("trackeval")
    data, gains, switches, calls = need("mot"), [], [], []
    for detections in (None, need("mot_sort_det")):
        for scene in read_scenes(data, detections):
            sort = measure(scene, None, [0])[0]
            hybrid = measure(scene, HybridSettings(), [0])[0]
            gains.append(hybrid["idf1"] - sort["idf1"])
            switches.append((sort["id_switches"], hybrid["id_switches"]))
            calls.append(hybrid["calls"])
    assert np.mean(gains) >= 0.03
    assert min(gains) >= -0.005
    assert sum(b for _, b in switches) <= 0.7 * sum(a for a, _ in switches)
    assert max(calls) <= 0.5
