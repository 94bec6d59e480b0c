# SPDX-License-Identifier: Apache-2.0
"""The object of `--stats` has the contract's keys and figures that can be worked out by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from app.motion.counting import Count
from app.motion.lines import Line
from app.motion.zones import Zone
from app.output.queued_file import OutputError
from app.output.stats import SCHEMA, VERSION, Display, Run, statistics, write_statistics
from app.runtime.machine_load import rss_mb
from app.runtime.meters import Percentiles
from app.runtime.pipeline import PipelineMeters

RUN = Run("toy.mp4", "expression", "cpu", "int8", 4.0, 20, [{"name": "net", "sha256": "0" * 64, "ms_p50": 1.5}])


def percentiles(*values: float) -> Percentiles:
    found = Percentiles()
    for value in values:
        found.add(value)
    return found


def run_meters() -> PipelineMeters:
    stage_ms = {"detect": percentiles(1, 2, 3), "track": percentiles(5)}
    return PipelineMeters(
        captured=120, processed=100, latency_ms=percentiles(*[10] * 90, *[50] * 10), stage_ms=stage_ms
    )


def test_keys_are_those_of_the_contract() -> None:
    found = statistics(RUN, run_meters())
    assert list(found) == [
        *("schema", "version", "source", "task", "backend", "precision", "frames", "wall_s", "fps", "latency_ms"),
        *("stage_ms", "rss_mb", "models"),
    ]
    assert list(found["frames"]) == ["captured", "processed", "dropped"]
    assert list(found["fps"]) == ["capture", "inference", "display"]
    assert list(found["latency_ms"]) == ["p50", "p95", "p99"]
    assert {name: list(ms) for name, ms in found["stage_ms"].items()} == {
        "detect": ["p50", "p95"],
        "track": ["p50", "p95"],
    }
    assert [list(model) for model in found["models"]] == [["name", "sha256", "ms_p50"]]
    assert (found["schema"], found["version"]) == (SCHEMA, VERSION)
    json.dumps(found, allow_nan=False)


def test_counts_are_told_where_something_was_watched() -> None:
    gate, hall = Line("gate", ((0.0, 0.5), (1.0, 0.5))), Zone("hall", Zone.rectangle(0.0, 0.0, 1.0, 1.0))
    stays = Count(hall, 4, 2, 1, 1, ((3, 2.0), (4, 1.0)), 2, 1.23456, 2.0)
    found = statistics(dataclasses.replace(RUN, counts=(Count(gate, 3, 1), stays)), run_meters())
    dwell = {"n": 2, "mean": 1.235, "longest": 2.0}
    assert found["counting"] == [
        {"name": "gate", "entries": 3, "exits": 1},
        {"name": "hall", "entries": 4, "exits": 2, "appeared": 1, "vanished": 1, "inside": 2, "dwell_s": dwell},
    ]


def test_figures() -> None:
    found = statistics(RUN, run_meters())
    assert found["frames"] == {"captured": 120, "processed": 100, "dropped": 20}
    assert found["fps"] == {"capture": 30.0, "inference": 25.0, "display": 0.0}
    assert found["latency_ms"] == pytest.approx({"p50": 10, "p95": 50, "p99": 50}, rel=0.0101)
    assert found["stage_ms"]["detect"] == pytest.approx({"p50": 2, "p95": 3}, rel=0.0101)
    assert (found["source"], found["task"], found["backend"]) == ("toy.mp4", "expression", "cpu")
    assert (found["precision"], found["wall_s"]) == ("int8", 4.0)


def test_a_window_gives_display_rate_and_latency_to_the_paint() -> None:
    found = statistics(RUN, run_meters(), Display(n_painted=80, latency_ms=percentiles(30)))
    assert found["fps"]["display"] == 20.0
    assert found["latency_ms"]["p50"] == pytest.approx(30, rel=0.0101)


def test_run_of_nothing_has_finite_figures() -> None:
    found = statistics(Run("toy", "expression", "cpu", "float", 0.0, 0, []), PipelineMeters())
    assert found["fps"] == {"capture": 0.0, "inference": 0.0, "display": 0.0}
    assert found["latency_ms"] == {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    json.dumps(found, allow_nan=False)


def test_memory_is_that_of_this_process() -> None:
    before = rss_mb()
    held = bytearray(64 * 2**20)
    assert rss_mb() - before > 32
    assert len(held) == 64 * 2**20


def test_a_stage_that_starts_meanwhile_does_no_harm() -> None:
    """The workers may meet a stage for the first time while the figures are taken."""
    meters = run_meters()

    class Meanwhile(Percentiles):
        def at(self, *percent: float) -> list[float]:
            meters.stage_ms.setdefault(f"new {len(meters.stage_ms)}", percentiles(1))
            return super().at(*percent)

    meters.stage_ms["detect"] = Meanwhile()
    assert set(statistics(RUN, meters)["stage_ms"]) == {"detect", "track"}


def test_written_file_is_the_object(tmp_path: Path) -> None:
    found = statistics(RUN, run_meters())
    write_statistics(found, tmp_path / "deep/er/out.json")
    assert json.loads((tmp_path / "deep/er/out.json").read_text()) == found


@pytest.mark.parametrize("path", ["/dev/full", "/dev/null/out.json"])
def test_unwritable_file_is_one_sentence(path: str) -> None:
    with pytest.raises(OutputError, match=rf"cannot write the figures to {path}: .*; choose another place"):
        write_statistics(statistics(RUN, run_meters()), Path(path))
