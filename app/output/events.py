# SPDX-License-Identifier: Apache-2.0
"""One JSON object a frame, in a file (JSON Lines). Units and fields: events.schema.json beside this file.

Nothing in an event depends on the clock: two runs over the same clip give the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from app.frame import Counting, ExpressionOutput, FlowOutput, FrameResult, Motion, PoseOutput
from app.motion.counting import CountEvent
from app.motion.zones import ZoneEvent
from app.output.queued_file import QueuedFile
from app.runtime.worker import OnError
from app.tracking.why import Candidate, Why
from models.results import MISSED, Tracks

QUEUE = 256


def event(result: FrameResult[Any]) -> dict[str, Any]:
    """Return the event of one frame; px rounded to 0.01, scores and probabilities to 1e-4."""
    height, width = result.frame.image.shape[:2]
    if isinstance(result.output, FlowOutput):
        of_task = flow_fields(result.output)
    elif isinstance(result.output, PoseOutput):
        of_task = pose_fields(result.output)
    else:
        of_task = face_fields(result.output)
    return {"seq": result.frame.seq, "t_ns": result.frame.t_ns, "size": [width, height], **of_task}


def face_fields(output: ExpressionOutput) -> dict[str, Any]:
    tracks = [
        {
            **track_fields(output.tracks, k),
            "expression": {
                "label": output.labels[int(output.prob[k].argmax())],
                "probs": [round(float(p), 4) for p in output.prob[k]],
            },
        }
        for k in range(len(output.tracks))
    ]
    return {"tracks": tracks}


def pose_fields(output: PoseOutput) -> dict[str, Any]:
    tracks = [
        {
            **track_fields(output.tracks, k),
            "pose": {"keypoints": keypoint_rows(output.keypoints[k].tolist())},
            **({"why": why_fields(output.whys[k])} if output.whys else {}),
        }
        for k in range(len(output.tracks))
    ]
    return {"tracks": tracks, **counting_fields(output.counting)}


def why_fields(why: Why) -> dict[str, Any]:
    runner_up = None if why.runner_up is None else candidate_fields(why.runner_up)
    fields = {"decision": why.decision, "t_ns": why.t_ns, "winner": candidate_fields(why.winner)}
    return {**fields, "runner_up": runner_up}


def candidate_fields(candidate: Candidate) -> dict[str, Any]:
    """Return number and scores, without those that were not looked at."""
    scores = {name: getattr(candidate, name) for name in ("appearance", "motion", "heading", "overlap")}
    return {"id": candidate.track_id, **{name: value for name, value in scores.items() if value is not None}}


def counting_fields(counting: Counting) -> dict[str, Any]:
    """Return who crossed lines and edges of zones, and the counts so far; nothing where nothing is watched."""
    if not counting.counts:
        return {}
    counts = [
        {"name": each.mark.name, "entries": each.entries, "exits": each.exits, "inside": [n for n, _ in each.inside]}
        for each in counting.counts
    ]
    return {"counting": {"events": [count_event_fields(each) for each in counting.events], "counts": counts}}


def count_event_fields(event: CountEvent) -> dict[str, Any]:
    dwell = {} if event.dwell_s is None else {"dwell_s": round(event.dwell_s, 3)}
    fields = {"name": event.mark, "event": event.kind, "id": event.track_id, "since_ns": event.crossed_ns}
    return {**fields, **dwell}


def keypoint_rows(keypoints: list[list[float]]) -> list[list[float]]:
    return [[round(x, 2) + 0.0, round(y, 2) + 0.0, round(score, 4)] for x, y, score in keypoints]


def track_fields(tracks: Tracks, k: int) -> dict[str, Any]:
    return {
        "id": int(tracks.track_id[k]),
        "xyxy": [round(float(v), 2) for v in tracks.xyxy[k]],
        "score": round(float(tracks.score[k]), 4),
        "is_predicted": int(tracks.detection_index[k]) == MISSED,
    }


def flow_fields(output: FlowOutput) -> dict[str, Any]:
    """Return no track and the motion; null says that nothing is known, which is not the same as standing still."""
    mean_uv, max_px = output.mean_uv(), output.max_px()
    return {
        "tracks": [],
        "flow": {
            "mean_uv": None if mean_uv is None else [round(v, 2) + 0.0 for v in mean_uv],  # + 0.0: never "-0.0"
            "max_px": None if max_px is None else round(max_px, 2),
        },
        **motion_fields(output.motion),
    }


def motion_fields(motion: Motion) -> dict[str, Any]:
    """Return what begins and ends in zones and the swipe, if any: nothing where there is neither zone nor swipe."""
    if not motion.zones and not motion.events and motion.swipe is None:
        return {}
    swipe = motion.swipe
    found = None if swipe is None else {"direction": swipe.direction, "speed": round(swipe.speed, 4)}
    return {"motion": {"zones": [zone_fields(event) for event in motion.events], "swipe": found}}


def zone_fields(event: ZoneEvent) -> dict[str, Any]:
    return {
        "name": event.zone,
        "event": event.kind,
        "since_ns": event.since_ns,
        "direction_deg": round(event.direction_deg, 1) % 360.0,
        "speed": round(event.speed, 4),
        "share": round(event.share, 4),
    }


class EventEncoder:
    """One line of JSON a frame."""

    def add(self, file: BinaryIO, result: FrameResult[Any]) -> None:
        file.write(json.dumps(event(result), separators=(",", ":")).encode() + b"\n")

    def finish(self, file: BinaryIO) -> None:
        """Every line is whole as soon as it is written: nothing is left to do."""


def open_events(path: Path, is_lossless: bool, on_error: OnError) -> QueuedFile:
    """Begin an event file; raises OutputError when `path` cannot be written."""
    return QueuedFile("events", path, EventEncoder(), QUEUE, is_lossless, on_error)
