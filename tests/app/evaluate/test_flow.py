# SPDX-License-Identifier: Apache-2.0
"""Scoring flow: figures by hand, folders of both layouts, refusals, and the known figures on Middlebury's pairs."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.evaluate import __main__ as program
from app.evaluate.expression import DataError
from app.evaluate.flow import evaluate_flow, score
from app.evaluate.flow_pairs import find_pairs
from models.flow_file import read_flow, write_flow
from models.results import Flow
from tests.conftest import need
from tests.models.test_classical_flow import texture

SHIFT_UV = (3, -2)


def uniform(u: float, v: float, height: int = 2, width: int = 2) -> Flow:
    return Flow(np.full((height, width, 2), (u, v), np.float32), np.ones((height, width), bool))


def write_pair(
    folder: Path, frames: tuple[str, str] = ("frame10.png", "frame11.png"), truth: str = "flow10.flo"
) -> None:
    big, (u, v) = texture(140, 160), SHIFT_UV
    for name, picture in zip(frames, (big[10:110, 10:130], big[10 - v : 110 - v, 10 - u : 130 - u]), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.ascontiguousarray(picture[..., ::-1]))
    (folder / truth).parent.mkdir(parents=True, exist_ok=True)
    write_flow(folder / truth, uniform(u, v, 100, 120))


def test_figures_by_hand() -> None:
    """True motion (3, 4); one pixel right, one 5 px off, one unknown in truth, one that the method left out."""
    truth, found = uniform(3, 4), uniform(3, 4)
    found.uv[0, 1] = (6, 8)
    found.uv[1, 0], truth.valid[1, 0] = (900, 900), False
    found.valid[1, 1] = False
    row = score(found, truth)
    assert (row["epe"], row["fl_outliers"], row["n_pixels"]) == (pytest.approx(2.5), 0.5, 2)
    assert row["density"] == pytest.approx(2 / 3)
    angle = math.acos((1 + 18 + 32) / math.sqrt(26 * 101))
    assert row["angular_error_deg"] == pytest.approx(math.degrees(angle) / 2)


def test_an_outlier_is_over_3_px_and_over_5_percent() -> None:
    assert score(uniform(104, 0), uniform(100, 0))["fl_outliers"] == 0
    assert score(uniform(106, 0), uniform(100, 0))["fl_outliers"] == 1
    assert score(uniform(2.9, 0), uniform(0, 0))["fl_outliers"] == 0


def test_a_method_that_says_nothing_has_no_error() -> None:
    nothing = Flow(np.zeros((2, 2, 2), np.float32), np.zeros((2, 2), bool))
    row = score(nothing, uniform(1, 1))
    assert (row["epe"], row["density"], row["n_pixels"]) == (None, 0.0, 0)


@pytest.mark.parametrize("method", ["dis", "farneback", "lk"])
def test_the_command_prints_and_writes(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pair(tmp_path / "data" / "shift")
    arguments = ["--data", str(tmp_path / "data"), "--method", method, "--results", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["evaluate", "flow", *arguments])
    assert program.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["method"], found["per_item"][0]["name"]) == (1, method, "shift")
    assert 0 <= found["epe"] < 0.5
    assert found["fl_outliers"] < 0.05
    assert found["density"] == 1 if method != "lk" else 0 < found["density"] < 0.1
    written = read_flow(tmp_path / "out" / "shift.flo")
    median_uv = np.median(written.uv[written.valid], axis=0)
    assert np.abs(median_uv - SHIFT_UV).max() < 0.1


def test_kitti_s_folders(tmp_path: Path) -> None:
    names = ("image_2/000007_10.png", "image_2/000007_11.png")
    write_pair(tmp_path, names, "flow_occ/000007_10.png")
    (pair,) = find_pairs(tmp_path)
    assert (pair.name, pair.second.name) == ("000007", "000007_11.png")
    assert evaluate_flow(tmp_path, "dis")["epe"] < 0.5


def test_of_more_pictures_the_numbered_ones_count(tmp_path: Path) -> None:
    write_pair(tmp_path / "a")
    for name in ("frame09.png", "frame12.png"):
        cv2.imwrite(str(tmp_path / "a" / name), np.zeros((100, 120, 3), np.uint8))
    (pair,) = find_pairs(tmp_path)
    assert [pair.first.name, pair.second.name] == ["frame10.png", "frame11.png"]


def test_a_folder_can_be_the_pair_itself(tmp_path: Path) -> None:
    write_pair(tmp_path, ("left.png", "right.png"), "truth.flo")
    assert [pair.name for pair in find_pairs(tmp_path)] == [tmp_path.name]


def test_what_cannot_be_scored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        find_pairs(tmp_path / "missing")
    with pytest.raises(DataError, match="no pair"):
        find_pairs(tmp_path)
    write_pair(tmp_path / "a")
    (tmp_path / "a" / "frame11.png").unlink()
    with pytest.raises(DataError, match="found 1"):
        find_pairs(tmp_path)
    cv2.imwrite(str(tmp_path / "a" / "frame11.png"), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match="found 120x100, 4x4, 120x100"):
        evaluate_flow(tmp_path, "dis")
    (tmp_path / "a" / "frame11.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a picture"):
        evaluate_flow(tmp_path, "dis")


@pytest.mark.parametrize(("method", "epe"), [("dis", 0.27), ("farneback", 0.83)])
def test_known_figures_on_middlebury(method: str, epe: float) -> None:
    found = evaluate_flow(need("flow/middlebury"), method)
    assert found["n"] == 4
    assert found["epe"] == pytest.approx(epe, abs=0.02)
