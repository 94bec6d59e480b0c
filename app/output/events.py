# SPDX-License-Identifier: Apache-2.0
"""One JSON object a frame, in a file (JSON Lines). Units and fields: events.schema.json beside this file.

Nothing in an event depends on the clock: two runs over the same clip give the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from app.frame import ExpressionOutput, FlowOutput, FrameResult
from app.output.queued_file import QueuedFile
from app.runtime.worker import OnError
from models.results import MISSED

QUEUE = 256


def event(result: FrameResult[Any]) -> dict[str, Any]:
    """Return the event of one frame; px rounded to 0.01, scores and probabilities to 1e-4."""
    height, width = result.frame.image.shape[:2]
    of_task = flow_fields(result.output) if isinstance(result.output, FlowOutput) else face_fields(result.output)
    return {"seq": result.frame.seq, "t_ns": result.frame.t_ns, "size": [width, height], **of_task}


def face_fields(output: ExpressionOutput) -> dict[str, Any]:
    tracks = [
        {
            "id": int(output.tracks.track_id[k]),
            "xyxy": [round(float(v), 2) for v in output.tracks.xyxy[k]],
            "score": round(float(output.tracks.score[k]), 4),
            "is_predicted": int(output.tracks.detection_index[k]) == MISSED,
            "expression": {
                "label": output.labels[int(output.prob[k].argmax())],
                "probs": [round(float(p), 4) for p in output.prob[k]],
            },
        }
        for k in range(len(output.tracks))
    ]
    return {"tracks": tracks}


def flow_fields(output: FlowOutput) -> dict[str, Any]:
    """Return no track and the motion; null says that nothing is known, which is not the same as standing still."""
    mean_uv, max_px = output.mean_uv(), output.max_px()
    return {
        "tracks": [],
        "flow": {
            "mean_uv": None if mean_uv is None else [round(v, 2) + 0.0 for v in mean_uv],  # + 0.0: never "-0.0"
            "max_px": None if max_px is None else round(max_px, 2),
        },
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
