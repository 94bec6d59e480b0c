# SPDX-License-Identifier: Apache-2.0
"""Accuracy of optical flow on pairs of pictures with truth.

Metrics: end-point and angular error of Baker et al. (IJCV 2011), outliers of KITTI 2015 (over 3 px and over 5 %).
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.build import Networks
from app.chosen_task import CLASSICAL_METHODS
from app.evaluate.flow_pairs import find_pairs
from app.tasks.flow import FlowMethod
from models.flow_file import write_flo
from models.flow_fine import FineFlow
from models.results import Flow, Image

METRICS = ("epe", "fl_outliers", "angular_error_deg", "density")
OUTLIER_PX, OUTLIER_SHARE = 3.0, 0.05
N_RUNS = 3
"""Of each pair, for its time."""


def evaluate_flow(
    path: Path,
    method: str,
    results: Path | None = None,
    precision: str = "float",
    backend: str = "auto",
    passes: int = 1,
) -> dict[str, Any]:
    """Return epe (px), fl_outliers, angular_error_deg, density (share of the known pixels that the method answers for).

    Means over the pairs, and the same pair by pair; a pair on which a method says nothing counts in no mean. The
    network sees pictures of 128x96; with `passes` above 1 it then looks at them piece by piece (models.flow_fine).
    """
    with Networks() as networks:
        flow_between, conditions = choose(method, networks, precision, backend, passes)
        rows: list[dict[str, Any]] = []
        for pair in find_pairs(path):
            first, second, truth = pair.load()
            found, ms = timed(flow_between, first, second)
            rows.append({"name": pair.name, **score(found, truth), "ms_p50": ms})
            if results is not None:
                results.mkdir(parents=True, exist_ok=True)
                write_flo(results / f"{pair.name}.flo", found)
    scored = [row for row in rows if row["n_pixels"]]
    means = {key: statistics.fmean(row[key] for row in scored) if scored else None for key in METRICS}
    return {
        **means,
        "ms_p50": round(statistics.median(row["ms_p50"] for row in rows), 3),
        "n": len(rows),
        "method": method,
        "per_item": rows,
        "conditions": f"{path.name}, {conditions}; means over pairs; ms: median of {N_RUNS} runs a pair",
    }


def choose(method: str, networks: Networks, precision: str, backend: str, passes: int) -> tuple[FlowMethod, str]:
    """Return the method, and what it works on in words; raises BackendUnavailable."""
    if method != "net":
        return CLASSICAL_METHODS[method](), "pictures at their own size"
    net = networks.choose_flow(backend, precision)
    size = "reduced to 128x96" if passes == 1 else f"reduced to 128x96, then {passes - 1} times in tiles of that size"
    return FineFlow(net, passes), f"{precision} on {net.backend_name}, pictures {size}"


def timed(flow_between: FlowMethod, first: Image, second: Image) -> tuple[Flow, float]:
    """Return the flow and the median time of a run in ms."""
    ms = []
    for _ in range(N_RUNS):
        start_ns = time.perf_counter_ns()
        found = flow_between(first, second)
        ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    return found, round(statistics.median(ms), 3)


def score(found: Flow, truth: Flow) -> dict[str, Any]:
    """Return the metrics over the pixels that both know; all but density and n_pixels are null where there is none."""
    both = found.valid & truth.valid
    n_known = int(truth.valid.sum())
    density = float(both.sum() / n_known) if n_known else 0.0
    if not both.any():
        return dict.fromkeys(METRICS) | {"density": density, "n_pixels": 0}
    guess, true = found.uv[both].astype(np.float64), truth.uv[both].astype(np.float64)
    error_px, true_px = np.linalg.norm(guess - true, axis=-1), np.linalg.norm(true, axis=-1)
    cosine = (1 + (guess * true).sum(-1)) / np.sqrt((1 + (guess**2).sum(-1)) * (1 + (true**2).sum(-1)))
    return {
        "epe": float(error_px.mean()),
        "fl_outliers": float(((error_px > OUTLIER_PX) & (error_px > OUTLIER_SHARE * true_px)).mean()),
        "angular_error_deg": float(np.degrees(np.arccos(cosine.clip(-1, 1))).mean()),
        "density": density,
        "n_pixels": len(error_px),
    }
