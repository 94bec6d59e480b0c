# SPDX-License-Identifier: Apache-2.0
"""What a comparison leaves: figures as JSON, a page that needs nothing else, a sentence where it cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.build import Networks, Program
from app.compare.pair import Pair
from app.config import Settings
from app.output.compare_report import HTML_NAME, JSON_NAME
from app.output.queued_file import OutputError
from models.fetch import FetchError
from tests.app.runtime.scripted import WAIT_S, Memory


def run(task: str, pair: Pair, n_frames: int, folder: Path) -> tuple[dict[str, object], str]:
    """Return the figures and the page of a comparison on the synthetic scene."""
    memory = Memory()
    with Networks() as networks:
        settings = Settings(source="synthetic", task=task, pace="max")
        try:
            program = Program(settings, networks, memory.listeners(), lambda result: result.frame.image, n_frames)
            program.compare(pair)
        except FetchError as error:
            pytest.skip(str(error))
        program.start()
        assert memory.ended.wait(WAIT_S * 3)
        figures = program.statistics()["compare"]
        assert program.write_comparison(folder) == folder / HTML_NAME
        program.close()
    assert memory.errors == []
    assert len(memory.results) == n_frames
    assert all(r.compared is not None and r.compared.frame.seq == r.frame.seq for r in memory.results)
    assert figures == json.loads((folder / JSON_NAME).read_text())
    return figures, (folder / HTML_NAME).read_text()


@pytest.mark.parametrize("task", ["expression", "flow"])
def test_a_network_agrees_with_itself(task: str, tmp_path: Path) -> None:
    figures, page = run(task, Pair("cpu", "float"), 8, tmp_path)
    assert (figures["frames"], figures["agreement"], figures["worst"]) == (8, 1.0, [])
    assert figures["value"] == pytest.approx(1.0 if task == "expression" else 0.0, abs=1e-4)
    assert "<p>none</p>" in page


def test_two_precisions_differ_and_the_page_shows_where(tmp_path: Path) -> None:
    figures, page = run("flow", Pair("cpu", "int8"), 8, tmp_path)
    assert (figures["first"]["precision"], figures["second"]["precision"]) == ("float", "int8")  # type: ignore[index]
    assert figures["measure"] == "end_point_difference_px"
    assert 0.0 < float(str(figures["value"])) < 1.0
    epe_px = figures["epe_px"]
    assert isinstance(epe_px, dict)
    assert epe_px["first"] == pytest.approx(epe_px["second"], rel=0.2)
    worst = figures["worst"]
    assert isinstance(worst, list)
    assert page.count("data:image/jpeg;base64,") == 2 * len(worst) == 12
    assert "http" not in page


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot write the comparison to"):
        run("flow", Pair("cpu", "float"), 2, tmp_path / "taken")
