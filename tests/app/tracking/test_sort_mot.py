# SPDX-License-Identifier: Apache-2.0
"""The default settings on MOT15 sequences: one setting for two detectors and two frame rates."""

from __future__ import annotations

from typing import Any

import pytest

from app.evaluate.track import evaluate_track
from tests.conftest import need


def evaluate(detections: str | None) -> dict[str, Any]:
    pytest.importorskip("trackeval")
    return evaluate_track(need("mot"), detections=None if detections is None else need(detections))


def test_targets_on_the_detections_of_sort() -> None:
    figures = evaluate("mot_sort_det")
    assert figures["n"] == 2198
    assert figures["mota"] >= 0.667
    assert figures["idf1"] >= 0.761
    assert figures["hota"] >= 0.512
    assert figures["id_switches"] <= 21


def test_targets_on_the_detections_of_mot15() -> None:
    figures = evaluate(None)
    assert figures["n"] == 2198
    assert figures["frames"] == 395
    assert figures["mota"] >= 0.526
    assert figures["idf1"] >= 0.616
    assert figures["hota"] >= 0.390


def test_sequences_without_truth_are_timed_only() -> None:
    items = evaluate("mot_sort_det")["per_item"]
    assert len(items) == 10
    assert set(items["Venice-2"]) == {"frames", "hz"}
    assert set(items["KITTI-17"]) == {"frames", "hz", "mota", "idf1", "hota", "id_switches", "n"}
