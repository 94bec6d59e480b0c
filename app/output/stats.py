# SPDX-License-Identifier: Apache-2.0
"""The figures of a run as one JSON object: the contract of `--stats`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.motion.counting import Count
from app.motion.lines import Line
from app.output.queued_file import OutputError
from app.runtime.machine_load import rss_mb
from app.runtime.meters import Percentiles
from app.runtime.pipeline import PipelineMeters

SCHEMA = 1
VERSION = "0.1.0"


@dataclass(frozen=True)
class Display:
    """What the window measured; without a window nothing is displayed and `latency_ms` is capture to result."""

    n_painted: int
    latency_ms: Percentiles


@dataclass(frozen=True)
class Run:
    """What a run was."""

    source: str
    task: str
    backend: str
    precision: str
    wall_s: float
    dropped: int
    models: list[dict[str, Any]]  # name, sha256, ms_p50
    counts: tuple[Count, ...] = ()  # of people, at the lines and in the zones that were watched


def statistics(run: Run, meters: PipelineMeters, display: Display | None = None) -> dict[str, Any]:
    """Return the object of `--stats`; `fps` are counts over the wall time of the run, ms are of the whole run."""
    wall_s = max(run.wall_s, 1e-9)
    latency = display.latency_ms if display is not None else meters.latency_ms
    p50, p95, p99 = latency.at(50, 95, 99)
    stages = {name: dict(zip(("p50", "p95"), ms.at(50, 95), strict=True)) for name, ms in list(meters.stage_ms.items())}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "source": run.source,
        "task": run.task,
        "backend": run.backend,
        "precision": run.precision,
        "frames": {"captured": meters.captured, "processed": meters.processed, "dropped": run.dropped},
        "wall_s": round(run.wall_s, 3),
        "fps": {
            "capture": round(meters.captured / wall_s, 2),
            "inference": round(meters.processed / wall_s, 2),
            "display": round(display.n_painted / wall_s, 2) if display is not None else 0.0,
        },
        "latency_ms": {"p50": round(p50, 3), "p95": round(p95, 3), "p99": round(p99, 3)},
        "stage_ms": {name: {k: round(v, 3) for k, v in ms.items()} for name, ms in stages.items()},
        "rss_mb": round(rss_mb(), 1),
        "models": run.models,
        **({"counting": [count_row(count) for count in run.counts]} if run.counts else {}),
    }


def count_row(count: Count) -> dict[str, Any]:
    """Return the counts of a run at one line or in one zone; seconds of the pictures' own time."""
    passed = {"name": count.mark.name, "entries": count.entries, "exits": count.exits}
    if isinstance(count.mark, Line):
        return passed
    dwell = {"n": count.n_stays, "mean": round(count.mean_s, 3), "longest": round(count.longest_s, 3)}
    rest = {"appeared": count.appeared, "vanished": count.vanished, "inside": len(count.inside), "dwell_s": dwell}
    return {**passed, **rest}


def write_statistics(statistics: dict[str, Any], path: Path) -> None:
    """Write the object; raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(statistics, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the figures to {path}: {error.strerror}; choose another place") from error
