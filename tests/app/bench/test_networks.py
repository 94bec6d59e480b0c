# SPDX-License-Identifier: Apache-2.0
"""The rows of the networks alone; how fast is not asserted."""

from __future__ import annotations

import numpy as np
import pytest

from app.bench import __main__ as program
from app.bench.__main__ import Case, cases
from app.bench.networks import SUBJECTS, compare, kernels, measure_networks, table
from device.lowbit.machine import open_machine
from models.results import Float32, Image

KEYS = {"task", "backend", "precision", "size", "fps", "stage_ms", "ms_p50", "ratio_vs_peer", "peer"}
PRECISIONS = [("cpu", "float"), ("cpu", "int8"), ("lowbit", "w1a2")]


def test_one_row_a_precision_and_one_a_kernel() -> None:
    rows = measure_networks(3)
    by_kernel = [("lowbit", f"w1a2, {level} kernels") for level in kernels()]
    assert "plain" in kernels()
    alternating = [("lowbit", "w1a2, alternating")]
    of_task = PRECISIONS + alternating + by_kernel
    assert [(row["backend"], row["precision"]) for row in rows] == [*of_task, *of_task, ("cpu", "stem in C")]
    for row in rows:
        assert set(row) == KEYS
        assert (row["task"], row["size"]) in (("expression", "48x48"), ("flow", "128x96"))
        assert row["fps"] == pytest.approx(1e3 / row["ms_p50"], rel=0.01)
        assert row["precision"] in table(rows)
    for first in (0, len(of_task)):
        assert rows[first]["ratio_vs_peer"] == 1.0
        ratio = rows[first]["ms_p50"] / rows[first + 1]["ms_p50"]
        assert rows[first + 1]["ratio_vs_peer"] == pytest.approx(ratio, rel=0.02)


def test_networks_take_turns() -> None:
    seen: list[str] = []

    def network(name: str) -> tuple[str, str, object]:
        def infer(values: Image) -> Float32:
            seen.append(name)
            return np.zeros(7, np.float32)

        return "cpu", name, infer

    rows = compare(SUBJECTS[0], [network("a"), network("b")], 4, 2)  # type: ignore[list-item]
    assert seen == ["a", "a", "b", "b"] * 3
    assert [row["precision"] for row in rows] == ["a", "b"]


def test_whole_programs_of_every_task_and_precision_are_measured() -> None:
    found = cases()
    for task in ("expression", "flow"):
        own = [case for case in found if case.task == task and case.method == "net"]
        assert [case.name for case in own[:3]] == ["float", "int8", "w1a2"]
        assert own[3:] == [Case(task, precision, True) for _, precision in PRECISIONS]
        assert [case.backend for case in own[:3]] == ["cpu", "cpu", "lowbit"]
    assert [case.name for case in found if case.method != "net"] == ["dis", "farneback", "lk"]
    assert found[2].flags == ["--task", "expression", "--precision", "w1a2", "--backend", "lowbit", "--method", "net"]


def test_without_kernels_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_LOWBIT", "sse")
    measured = [case.precision for case in program.cases() if case.task == "expression"]
    assert measured == ["float", "int8"] * 2
    assert capsys.readouterr().err.startswith("expression w1a2 is not measured: EDGE_LOWBIT=sse: expected auto")
    monkeypatch.setenv("EDGE_LOWBIT", "emulator")
    assert open_machine().name == "NumPy emulator"
