# SPDX-License-Identifier: Apache-2.0
"""Every network is in the table of the GPU, with its figures or the reason."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from app.bench import gpu_table
from device.gpu import GpuBackend
from models.card import card_names, load_card
from tests.device.gpu_here import use_stand_in


@pytest.fixture(autouse=True)
def _two_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len([name for name in card_names() if load_card(name).file.endswith(".tflite")]) == 9
    monkeypatch.setattr(gpu_table, "card_names", lambda: ["expression_int8", "expression_w1a2"])


def use(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    use_stand_in(monkeypatch, name)
    monkeypatch.setattr(gpu_table, "GpuBackend", partial(GpuBackend, driver=f"tests.device.gpu_stand_ins:{name}"))


def test_what_runs_has_its_difference_and_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, "Slightly")
    assert gpu_table.main(["--json", str(tmp_path / "out.json")]) == 0
    written = json.loads((tmp_path / "out.json").read_text())
    (row,) = written["rows"]  # a .tflite file only
    assert written["device"] == "stand-in Slightly"
    assert (row["network"], row["reason"], row["difference"]) == ("expression_int8", None, "1 steps of 256")
    assert 0 < row["cpu_ms"] < 1000
    assert 0 < row["gpu_ms"] < 1000
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stand-in Slightly"
    assert lines[-1].startswith("expression_int8   1 steps of 256")


@pytest.mark.parametrize(("name", "reason"), [("RefusesOperators", "181 of the 214"), ("LaterFailure", "device lost")])
def test_what_does_not_run_has_the_reason(name: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, name)
    (row,) = gpu_table.rows()
    assert reason in row["reason"]
    assert "not used: " in gpu_table.lines([row])[-1]


def test_without_a_gpu_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_table.main([]) == 1
    assert capsys.readouterr().err.startswith("backend gpu finds no GPU here (")


def test_a_place_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, "Faithful")
    (tmp_path / "file").write_text("")
    assert gpu_table.main(["--json", str(tmp_path / "file" / "out.json")]) == 1
    assert "cannot be written" in capsys.readouterr().err
