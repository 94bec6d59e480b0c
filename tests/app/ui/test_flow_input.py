# SPDX-License-Identifier: Apache-2.0
"""Task flow over pictures and clips that hold little to follow: it says that nothing is known, and ends well."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app import cli
from app.build import Networks
from app.frame import Frame, FrameResult
from app.headless import run_headless, summary
from app.output.events import event
from app.runtime.pipeline import NetworkChoice
from app.tasks.flow import FlowTask
from app.ui.overlay import Annotator
from models.classical_flow import Dis, Reduced
from tests.app.program import events, n_frames
from tests.app.test_bad_input import astronaut, crowd, film, odd_film

NOTHING = {"mean_uv": None, "max_px": None}
N_FRAMES = {"one.png": 1, "8k.jpg": 1, "odd.mp4": 5, "black.avi": 5, "white.avi": 5, "one.avi": 1, "thin.png": 1}
RUNS = [*(("dis", name) for name in N_FRAMES), ("lk", "black.avi"), ("farneback", "odd.mp4")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, image = tmp_path_factory.mktemp("flow"), astronaut()
    pictures = {"one.png": image[:1, :1], "thin.png": image[:1], "8k.jpg": cv2.resize(image, (7680, 4320))}
    for name, picture in pictures.items():
        assert cv2.imwrite(str(folder / name), picture)
    odd_film(folder / "odd.mp4", cv2.resize(image, (641, 359)))
    film(folder / "black.avi", np.zeros((240, 320, 3), np.uint8))
    film(folder / "white.avi", np.full((240, 320, 3), 255, np.uint8))
    film(folder / "one.avi", crowd(2, 1, (320, 240)), n=1)
    return folder


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize(("method", "name"), RUNS)
def test_it_has_a_flow_or_says_that_it_has_none(folder: Path, method: str, name: str) -> None:
    lines, video = folder / f"{method}-{name}.jsonl", folder / f"{method}-{name}.mp4"
    unused = "--backend fpga --precision w1a2"  # no board is here, and none is missed
    flags = f"--headless --pace max --task flow --method {method} {unused} --source {folder / name}"
    with Networks() as networks:
        command = cli.parse([*flags.split(), "--events", str(lines), "--record", str(video)])
        figures = run_headless(command, networks, Annotator())
    found = events(lines)
    assert len(found) == n_frames(video) == figures["frames"]["processed"] == N_FRAMES[name]
    assert found[0]["flow"] == NOTHING
    assert all(line["tracks"] == [] for line in found)
    for line in found[1:]:  # the same picture again
        if method == "lk":  # which finds no corner here
            assert line["flow"] == NOTHING
        else:  # Farneback sees some motion at the right edge of a picture of odd width
            assert line["flow"]["max_px"] < (4 if method == "farneback" else 0.2)
            assert line["flow"]["mean_uv"] == pytest.approx([0, 0], abs=0.02)
    assert "(cpu, float)" in summary(figures)
    assert "networks   none" in summary(figures)


@pytest.mark.usefixtures("qapp")
def test_another_size_and_a_gap_begin_anew() -> None:
    """Within one source only a broken camera changes its size; the task and the drawing do not mind."""
    task, annotate = FlowTask(Reduced(Dis()), "dis", NetworkChoice("cpu", "float")), Annotator()
    sizes = [(64, 48), (64, 48), (48, 64), (48, 64), (1, 1), (1, 1), (64, 48)]
    times_ms = [0, 33, 66, 99, 132, 165, 86_400_000]
    known = []
    for seq, ((width, height), t_ms) in enumerate(zip(sizes, times_ms, strict=True)):
        frame = Frame(np.full((height, width, 3), 90, np.uint8), seq, 0, t_ms * 1_000_000)
        result = FrameResult(frame, task(frame), {}, "cpu", "float")
        assert annotate(result).shape == frame.image.shape
        known.append(event(result)["flow"] != NOTHING)
    assert known == [False, True, False, True, False, True, False]
