# SPDX-License-Identifier: Apache-2.0
"""`python -m app.evaluate TASK --data PATH`: accuracy on labelled data as one JSON object."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from app.config import BACKENDS, METHODS, PRECISIONS, TRACKERS, VIEWS
from app.evaluate.camera_track import CAMERA_MOTIONS
from app.evaluate.expression import evaluate_expression
from app.evaluate.faces import evaluate_faces
from app.evaluate.flow import evaluate_flow
from app.evaluate.persons import evaluate_persons
from app.evaluate.pose import evaluate_pose
from app.evaluate.track import evaluate_track
from device.errors import AppError, BackendUnavailable

BUILT = ("expression", "faces", "flow", "track", "persons", "pose")
TASKS = ("expression", "track", "flow", "pose", "verify", "faces", "persons", "face")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.evaluate", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH")
    parser.add_argument("--precision", choices=PRECISIONS, default="float")
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--subset", choices=("all", "clean"), default="all", help="expression: rows that count")
    parser.add_argument("--tracker", choices=TRACKERS, default="sort", help="track")
    parser.add_argument("--method", choices=METHODS, default="net", help="flow")
    parser.add_argument("--passes", type=int, choices=range(1, 5), default=1, help="flow: net, above 1 in tiles too")
    parser.add_argument(
        "--detections",
        type=Path,
        metavar="PATH",
        help="track: detections of another folder; detector = our own, in the pictures",
    )
    parser.add_argument("--camera-motion", choices=CAMERA_MOTIONS, default="none", help="track: from img1/")
    parser.add_argument("--view", choices=VIEWS, default="eye", help="persons: from where the camera looks")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="persons: MOTChallenge rows of frames of a clip")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the object to a file as well")
    parser.add_argument("--results", type=Path, metavar="DIR", help="raw results in the field's plain formats")
    return parser.parse_args(arguments)


def evaluate(given: argparse.Namespace) -> dict[str, Any]:
    """Return the metrics; raises AppError."""
    if given.task == "expression":
        return evaluate_expression(given.data, given.precision, given.backend, given.subset, given.results)
    if given.task == "faces":
        return evaluate_faces(given.data, given.results)
    if given.task == "track":
        return evaluate_track(given.data, given.tracker, given.results, given.detections, given.camera_motion)
    if given.task == "flow":
        return evaluate_flow(given.data, given.method, given.results, given.precision, given.backend, given.passes)
    if given.task == "persons":
        return evaluate_persons(given.data, given.precision, given.backend, given.results, given.view, given.truth)
    if given.task == "pose":
        return evaluate_pose(given.data, given.precision, given.backend, given.results)
    raise BackendUnavailable(f"task {given.task} is not part of this version; use {', '.join(BUILT)}")


def main() -> int:
    given = parse()
    try:
        text = json.dumps(evaluate(given), indent=2)
        if given.json is not None:
            given.json.write_text(text + "\n", encoding="utf-8")
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot write {error.filename}: {error.strerror}; choose another place", file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
