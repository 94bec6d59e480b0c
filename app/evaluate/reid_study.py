# SPDX-License-Identifier: Apache-2.0
"""`python -m app.evaluate.reid_study --data MOT [--detections PATH] [--plot OUT.svg]`: what looking at people gains.

Tracks the sequences with pictures by SORT, by the hybrid at several budgets of embeddings (with 0 it has the ways of
the tracks alone), and with every box of every frame embedded (as DeepSORT does). A single run over so few frames is
chance, so each is also made with small random changes of the boxes; means are printed with their standard deviation.
"pairs": how well looks tell people apart. Prints one JSON object and the table on stderr.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluate.camera_track import PICTURES, pictures
from app.evaluate.motchallenge import MotSequence, Rows, find_sequences, read_sequence
from app.evaluate.reid_plot import plot_svg
from app.evaluate.track import TABLE, metric_arrays, run_with_pictures, score
from app.tracking.doubt import hidden_shares
from app.tracking.hybrid import Hybrid
from app.tracking.person import HybridSettings
from device.errors import AppError
from models.appearance import StripeHistograms
from models.results import Image

BUDGETS = (0.0, 0.1, 0.25, 0.45, 1.0, 2.0, math.inf)
"""Embeddings a frame."""
SEEDS = (0, *range(50, 70))
"""As they are, and variants that no setting was chosen on."""
DROPPED, JITTER = 0.03, 0.01
"""Of a change: detections left out, and the standard deviation of their edges in heights."""
LEAST_FRAMES_APART = 10
HIDDEN = 0.3


@dataclass(frozen=True, eq=False)
class Scene:
    """A sequence with its pictures."""

    sequence: MotSequence
    images: list[Image]
    truth: Rows


def read_scenes(data: Path, detections: Path | None) -> list[Scene]:
    """Read the sequences with pictures and truth; raises AppError where there is none."""
    scenes = []
    for folder in find_sequences(data):
        table = (folder if detections is None else detections / folder.resolve().name) / TABLE
        if (folder / PICTURES).is_dir():
            sequence = read_sequence(folder, table)
            if sequence.truth is not None:
                scenes.append(Scene(sequence, list(pictures(folder, sequence.n_frames)), sequence.truth))
    if not scenes:
        raise AppError(f"{data} holds no sequence with pictures and truth: expected {PICTURES}/ and gt/gt.txt")
    return scenes


def changed(sequence: MotSequence, seed: int) -> MotSequence:
    """Return the sequence with small random changes of its detections; seed 0 = none."""
    if not seed:
        return sequence
    random, rows = np.random.default_rng(seed), sequence.detections
    rows = rows.take(random.random(len(rows.frame)) >= DROPPED)
    noise = random.normal(0.0, JITTER, rows.xywh.shape) * rows.xywh[:, 3:]
    moved = Rows(rows.frame, rows.object_id, rows.xywh + noise, rows.score)
    return MotSequence(sequence.name, sequence.fps, sequence.n_frames, moved, sequence.truth)


def settings_of(budget: float, is_thorough: bool) -> HybridSettings:
    """Return the hybrid's settings with this budget, or as DeepSORT looks."""
    if is_thorough:
        return HybridSettings(budget=math.inf, burst=math.inf, is_thorough=True, fresh_s=0.0)
    default = HybridSettings()
    return HybridSettings(budget=budget, burst=max(default.burst, 2 * budget) if budget else 0.0)


def measure(scene: Scene, use: HybridSettings | None, seeds: list[int]) -> list[dict[str, float]]:
    """Return the figures of each run over one sequence; None = by SORT."""
    out = []
    for seed in seeds:
        tracker = Hybrid() if use is None else Hybrid(hybrid=use, embedder=StripeHistograms())
        run = run_with_pictures(changed(scene.sequence, seed), tracker, scene.images)
        figures, _ = score([metric_arrays(scene.truth, run.tracks)])
        calls = (run.n_embedded or 0) / scene.sequence.n_frames
        out.append({**{k: figures[k] for k in ("idf1", "mota", "hota", "id_switches")}, "calls": calls})
    return out


def study(scenes: list[Scene], seeds: list[int]) -> list[dict[str, Any]]:
    """Return a row for each way: means over sequences and seeds, gains over SORT on the same boxes."""
    ways: list[tuple[str, HybridSettings | None]] = [("sort", None)]
    ways += [(f"budget {budget:g}", settings_of(budget, False)) for budget in BUDGETS]
    rows, sort = [], None
    for name, use in [*ways, ("every box", settings_of(math.inf, True))]:
        runs = [measure(scene, use, seeds) for scene in scenes]
        sort = sort or runs
        gains = [
            fmean(a["idf1"] - b["idf1"] for a, b in zip(at, base, strict=True))
            for at, base in zip(runs, sort, strict=True)
        ]
        spread = [
            a["idf1"] - b["idf1"] for at, base in zip(runs, sort, strict=True) for a, b in zip(at, base, strict=True)
        ]
        rows.append(
            {
                "way": name,
                "embedding_calls_per_frame": round(fmean(run["calls"] for each in runs for run in each), 3),
                **{k: round(fmean(run[k] for each in runs for run in each), 4) for k in ("idf1", "mota", "hota")},
                "id_switches": round(sum(fmean(run["id_switches"] for run in each) for each in runs), 1),
                "idf1_gain": round(fmean(gains), 4),
                "idf1_gain_sd": round(stdev(spread), 4) if len(spread) > 1 else 0.0,
                "per_item": {
                    scene.sequence.name: {
                        "idf1_gain": round(gain, 4),
                        "id_switches": round(fmean(run["id_switches"] for run in each), 1),
                    }
                    for scene, gain, each in zip(scenes, gains, runs, strict=True)
                },
                "as_it_is": {
                    scene.sequence.name: {"idf1": round(each[0]["idf1"], 4), "id_switches": each[0]["id_switches"]}
                    for scene, each in zip(scenes, runs, strict=True)
                },
            }
        )
    return rows


def pair_figures(scene: Scene) -> dict[str, Any]:
    """Return the area under the ROC curve of same against different people, over pairs 10 frames and more apart."""
    truth, out = scene.truth, {}
    low = truth.xywh[:, :2]
    xyxy = np.concatenate([low, low + truth.xywh[:, 2:]], axis=1)
    vectors = np.zeros((len(xyxy), StripeHistograms()(scene.images[0], xyxy[:1].astype(np.float32)).shape[1]))
    hidden = np.zeros(len(xyxy))
    for frame in np.unique(truth.frame).tolist():
        rows = np.flatnonzero(truth.frame == frame)
        vectors[rows] = StripeHistograms()(scene.images[frame - 1], xyxy[rows].astype(np.float32))
        hidden[rows] = hidden_shares(xyxy[rows], xyxy[rows])
    for name, chosen in (("all", hidden >= 0.0), ("not_hidden", hidden < HIDDEN)):
        out[f"auc_{name}"] = round(area_under_curve(vectors[chosen], truth.take(chosen)), 4)
        out[f"n_{name}"] = int(chosen.sum())
    return out


def area_under_curve(vectors: Any, truth: Rows) -> float:
    """Return the area over pairs of the vectors (N, D) that are far apart in time."""
    i, j = np.triu_indices(len(vectors), 1)
    far = np.abs(truth.frame[i] - truth.frame[j]) >= LEAST_FRAMES_APART
    likeness, same = (vectors @ vectors.T)[i[far], j[far]], truth.object_id[i[far]] == truth.object_id[j[far]]
    return roc_area(likeness, same)


def roc_area(likeness: NDArray[np.floating], same: NDArray[np.bool_]) -> float:
    """Return how often one of the `same` pairs (N,) is more alike than one of the others (Mann and Whitney)."""
    rank = np.empty(len(likeness))
    rank[likeness.argsort(kind="stable")] = np.arange(len(likeness))
    n_same, n_other = int(same.sum()), int((~same).sum())
    if not n_same or not n_other:
        raise AppError("expected pairs of the same person and of two, found only one kind")
    return float((rank[same].sum() - n_same * (n_same - 1) / 2) / (n_same * n_other))


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'way':12} calls/frame  IDF1   gain (sd)      MOTA   HOTA   switches"]
    for row in rows:
        gain = f"{100 * row['idf1_gain']:+5.1f} ({100 * row['idf1_gain_sd']:.1f})"
        metrics = f"{row['idf1']:.3f}  {gain:12}  {row['mota']:.3f}  {row['hota']:.3f}  {row['id_switches']:6.1f}"
        lines.append(f"{row['way']:12} {row['embedding_calls_per_frame']:8.2f}     {metrics}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.evaluate.reid_study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="MOT")
    parser.add_argument("--detections", type=Path, metavar="PATH", help="detections of another folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="0 = the boxes as they are")
    parser.add_argument("--plot", type=Path, metavar="OUT.svg", help="IDF1 and switches against embeddings a frame")
    given = parser.parse_args()
    try:
        scenes = read_scenes(given.data, given.detections)
        rows = study(scenes, given.seeds)
        pairs = {scene.sequence.name: pair_figures(scene) for scene in scenes}
        if given.plot is not None:
            given.plot.write_text(plot_svg(rows), encoding="utf-8")
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot write {error.filename}: {error.strerror}; choose another place", file=sys.stderr)
        return 1
    print(table(rows), file=sys.stderr)
    print(json.dumps({"seeds": given.seeds, "rows": rows, "pairs": pairs}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
