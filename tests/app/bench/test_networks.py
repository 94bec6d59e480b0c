# SPDX-License-Identifier: Apache-2.0
"""The rows of the networks alone; how fast is not asserted."""

from __future__ import annotations

import numpy as np
import pytest

from app.bench import __main__ as program
from app.bench.__main__ import Case, cases
from app.bench.networks import compare, kernels, measure_networks, table
from device.lowbit.machine import open_machine
from models.results import Float32, Image

KEYS = {"task", "backend", "precision", "size", "fps", "stage_ms", "ms_p50", "ratio_vs_peer", "peer"}
PRECISIONS = [("cpu", "float"), ("cpu", "int8"), ("lowbit", "w1a2")]


def test_one_row_a_precision_and_one_a_kernel() -> None:
    rows = measure_networks(3)
    by_kernel = [("lowbit", f"w1a2, {level} kernels") for level in kernels()]
    assert "plain" in kernels()
    alternating = [("lowbit", "w1a2, alternating")]
    assert [(row["backend"], row["precision"]) for row in rows] == PRECISIONS + alternating + by_kernel
    for row in rows:
        assert set(row) == KEYS
        assert (row["task"], row["size"], row["peer"]) == ("expression", "48x48", "float on cpu")
        assert row["fps"] == pytest.approx(1e3 / row["ms_p50"], rel=0.01)
        assert row["precision"] in table(rows)
    assert rows[0]["ratio_vs_peer"] == 1.0
    assert rows[1]["ratio_vs_peer"] == pytest.approx(rows[0]["ms_p50"] / rows[1]["ms_p50"], rel=0.02)


def test_networks_take_turns() -> None:
    seen: list[str] = []

    def network(name: str) -> tuple[str, str, object]:
        def classify(grey: Image) -> Float32:
            seen.append(name)
            return np.zeros(7, np.float32)

        return "cpu", name, classify

    rows = compare([network("a"), network("b")], 4, 2)  # type: ignore[list-item]
    assert seen == ["a", "a", "b", "b"] * 3
    assert [row["precision"] for row in rows] == ["a", "b"]


def test_whole_programs_of_every_precision_are_measured() -> None:
    found = cases()
    assert [case.name for case in found[:3]] == ["float", "int8", "w1a2"]
    assert found[3:] == [Case(precision, True) for _, precision in PRECISIONS]
    assert [case.backend for case in found[:3]] == ["cpu", "cpu", "lowbit"]


def test_without_kernels_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_LOWBIT", "sse")
    assert [case.precision for case in program.cases()] == ["float", "int8"] * 2
    assert capsys.readouterr().err.startswith("w1a2 is not measured: EDGE_LOWBIT=sse: expected auto")
    monkeypatch.setenv("EDGE_LOWBIT", "emulator")
    assert open_machine().name == "NumPy emulator"
