# SPDX-License-Identifier: Apache-2.0
"""The crowd that comes and goes, for two minutes of its time: level memory, dense numbers, and that faults are told."""

from __future__ import annotations

import json

import pytest

from app.bench.crowd import N_WARM, failures, main, run_crowd
from app.tracking.person import HybridSettings

GOOD = {"numbers": 30, "highest_number": 30, "known_max": 50, "gallery_kib": {"warm": 100.0, "last": 110.0}}


def test_memory_is_level_and_numbers_are_dense() -> None:
    figures = run_crowd(8, 2 * N_WARM)
    assert figures["failures"] == []
    assert figures["numbers"] == figures["highest_number"] > 8
    assert figures["right_number"] > 0.85
    assert 0.0 < figures["embedding_calls_per_frame"] <= 0.5


def test_looks_give_numbers_back() -> None:
    """The same crowd without a budget: more numbers are given, because who was hidden long comes back as another."""
    seeing = run_crowd(8, N_WARM, HybridSettings(budget=2.0, burst=8.0))
    blind = run_crowd(8, N_WARM, HybridSettings(budget=0.0, burst=0.0))
    assert seeing["numbers"] < 0.9 * blind["numbers"]
    assert blind["embedding_calls_per_frame"] == 0.0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"gallery_kib": {"warm": 100.0, "last": 130.0}}, "galleries grow"),
        ({"highest_number": 31}, "31 numbers were given and 30 shown"),
        ({"known_max": 1000}, "1000 tracks remembered"),
    ],
)
def test_what_is_wrong_is_told(wrong: dict[str, object], sentence: str) -> None:
    assert failures(GOOD, 8, HybridSettings()) == []
    assert sentence in failures({**GOOD, **wrong}, 8, HybridSettings())[0]


def test_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "2", "--people", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 1200
    assert main(["--minutes", "0.5"]) == 1
    assert "at least 2 minutes" in capsys.readouterr().err
