# SPDX-License-Identifier: Apache-2.0
"""The event file against its schema, and that nothing in it depends on the clock."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.frame import Counting, FlowOutput, Frame, FrameResult, Motion
from app.motion.counting import Count, CountEvent
from app.motion.lines import Line
from app.motion.swipes import Swipe
from app.motion.zones import Zone, ZoneEvent, ZoneState
from app.output import events
from app.output.events import event, open_events
from app.tracking.why import Candidate, Why
from models.card import load_card
from tests.app.output.files import LABELS, Reports, flow_result, pose_result, result

SCHEMA: dict[str, Any] = json.loads((Path(events.__file__).parent / "events.schema.json").read_text())
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "string": (str,),
    "null": (type(None),),
}


def faults(schema: dict[str, Any], value: Any, at: str = "event") -> list[str]:
    """Return what is wrong with `value`, by the part of JSON Schema that the file uses; undescribed keys are wrong."""
    wrong = []
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{at}: {value!r} is none of the values")
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_one = any(isinstance(value, TYPES[k]) and (k == "boolean" or not isinstance(value, bool)) for k in kinds)
    if kinds and not is_one:
        return [*wrong, f"{at}: {value!r} is no {' or '.join(kinds)}"]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        wrong += [f"{at}: {key} is missing" for key in schema.get("required", ()) if key not in value]
        wrong += [f"{at}: {key} is not described" for key in value if key not in known]
        wrong += [fault for key in value if key in known for fault in faults(known[key], value[key], f"{at}.{key}")]
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            wrong.append(f"{at}: {len(value)} items")
        wrong += [fault for k, one in enumerate(value) for fault in faults(schema["items"], one, f"{at}[{k}]")]
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        wrong.append(f"{at}: {value} is out of range")
    return wrong


def lines(path: Path, n_frames: int = 10) -> bytes:
    file = open_events(path, True, Reports())
    for seq in range(n_frames):
        file.write(result(seq, n_faces=seq % 4))
    file.close()
    assert file.n_written == n_frames
    return path.read_bytes()


def test_every_line_fits_the_schema(tmp_path: Path) -> None:
    content = lines(tmp_path / "out.jsonl").decode()
    assert content.endswith("\n")
    parsed = [json.loads(line) for line in content.splitlines()]
    assert [line["seq"] for line in parsed] == list(range(10))
    assert [len(line["tracks"]) for line in parsed] == [seq % 4 for seq in range(10)]
    assert [fault for line in parsed for fault in faults(SCHEMA, line)] == []
    assert {track["is_predicted"] for line in parsed for track in line["tracks"]} == {True, False}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"seq": -1}, "event.seq: -1 is out of range"),
        ({"seq": 1.5}, "event.seq: 1.5 is no integer"),
        ({"size": [1]}, "event.size: 1 items"),
        ({"more": 1}, "event: more is not described"),
        ({"tracks": [{}]}, "event.tracks[0]: id is missing"),
    ],
)
def test_the_checker_finds_faults(change: dict[str, Any], fault: str) -> None:
    assert fault in faults(SCHEMA, event(result(0)) | change)
    assert faults(SCHEMA, event(result(0))) == []


@pytest.mark.parametrize("has_flow", [True, False])
def test_a_flow_fits_the_schema_and_has_no_track(has_flow: bool) -> None:
    one = flow_result(3, has_flow)
    found = event(one)
    assert faults(SCHEMA, json.loads(json.dumps(found, allow_nan=False))) == []
    assert (found["seq"], found["t_ns"], found["size"], found["tracks"]) == (3, one.frame.t_ns, [64, 48], [])
    flow, known = found["flow"], one.output.flow.uv[one.output.flow.valid]
    if not has_flow:
        assert flow == {"mean_uv": None, "max_px": None}
        return
    assert flow["mean_uv"] == pytest.approx(known.mean(axis=0).tolist(), abs=0.00501)
    assert flow["max_px"] == pytest.approx(float(np.linalg.norm(known, axis=1).max()), abs=0.00501)
    assert all(round(value, 2) == value for value in [*flow["mean_uv"], flow["max_px"]])


@pytest.mark.parametrize("n_people", [0, 1, 200])
def test_poses_fit_the_schema(n_people: int) -> None:
    one = pose_result(3, n_people)
    found = json.loads(json.dumps(event(one), allow_nan=False))
    assert faults(SCHEMA, found) == []
    assert (found["seq"], found["t_ns"], found["size"], len(found["tracks"])) == (3, one.frame.t_ns, [64, 48], n_people)
    for k, track in enumerate(found["tracks"]):
        assert list(track) == ["id", "xyxy", "score", "is_predicted", "pose"]
        np.testing.assert_allclose(track["pose"]["keypoints"], one.output.keypoints[k], atol=0.00501)
        assert all([round(x, 2), round(y, 2), round(s, 4)] == [x, y, s] for x, y, s in track["pose"]["keypoints"])
    assert faults(SCHEMA, event(result(3))) == []


@pytest.mark.parametrize(
    ("keypoints", "fault"),
    [
        ([[1, 2, 0.5]] * 16, "event.tracks[0].pose.keypoints: 16 items"),
        ([[1, 2]] * 17, "event.tracks[0].pose.keypoints[0]: 2 items"),
        ([[1, None, 0.5]] * 17, "event.tracks[0].pose.keypoints[0][1]: None is no number"),
    ],
)
def test_the_checker_finds_faults_of_a_pose(keypoints: list[Any], fault: str) -> None:
    found = event(pose_result(0, 1))
    found["tracks"][0]["pose"]["keypoints"] = keypoints
    assert fault in faults(SCHEMA, found)


def test_a_still_picture_is_not_an_unknown_one() -> None:
    still = flow_result(0)
    still.output.flow.uv[:] = -0.001
    assert json.dumps(event(still)["flow"]) == '{"mean_uv": [0.0, 0.0], "max_px": 0.0}'


@pytest.mark.parametrize(
    ("flow", "fault"),
    [
        ({"mean_uv": [1], "max_px": 1}, "event.flow.mean_uv: 1 items"),
        ({"mean_uv": [1, None], "max_px": 1}, "event.flow.mean_uv[1]: None is no number"),
        ({"mean_uv": [1, 2]}, "event.flow: max_px is missing"),
        ({"mean_uv": None, "max_px": -1}, "event.flow.max_px: -1 is out of range"),
        ({"mean_uv": None, "max_px": "1"}, "event.flow.max_px: '1' is no number or null"),
        ({"mean_uv": None, "max_px": None, "epe_px": 1}, "event.flow: epe_px is not described"),
    ],
)
def test_the_checker_finds_faults_of_a_flow(flow: dict[str, Any], fault: str) -> None:
    assert fault in faults(SCHEMA, event(flow_result(0)) | {"flow": flow})


ZONE = Zone("door", Zone.rectangle(0.1, 0.1, 0.5, 0.5))
BEGIN = ZoneEvent("door", "begin", 99, 50, 359.97, 0.123456, 0.25)


def motion_result(motion: Motion) -> FrameResult[FlowOutput]:
    one = flow_result(3)
    return dataclasses.replace(one, output=dataclasses.replace(one.output, motion=motion))


@pytest.mark.parametrize(
    ("motion", "expected"),
    [
        (Motion(), None),
        (Motion(last_swipe=Swipe("up", 9, 1.0)), None),  # it ended in an earlier frame
        (Motion((ZoneState(ZONE),)), {"zones": [], "swipe": None}),
        (Motion((), (), Swipe("left", 99, 1.23456)), {"zones": [], "swipe": {"direction": "left", "speed": 1.2346}}),
        (
            Motion((ZoneState(ZONE, True, True),), (BEGIN,)),
            {
                "zones": [
                    {
                        "name": "door",
                        "event": "begin",
                        "since_ns": 50,
                        "direction_deg": 0.0,
                        "speed": 0.1235,
                        "share": 0.25,
                    }
                ],
                "swipe": None,
            },
        ),
        (Motion((), (dataclasses.replace(BEGIN, kind="end"),)), {"swipe": None}),  # of a zone that was removed
    ],
)
def test_motion_is_told_where_zones_or_swipes_are(motion: Motion, expected: dict[str, Any] | None) -> None:
    found = event(motion_result(motion))
    assert faults(SCHEMA, json.loads(json.dumps(found, allow_nan=False))) == []
    assert found["flow"] == event(flow_result(3))["flow"]
    if expected is None:
        assert "motion" not in found
    else:
        assert found["motion"] == found["motion"] | expected


@pytest.mark.parametrize(
    ("motion", "fault"),
    [
        ({"zones": []}, "event.motion: swipe is missing"),
        ({"zones": [{}], "swipe": None}, "event.motion.zones[0]: name is missing"),
        ({"zones": [], "swipe": {"direction": "away", "speed": 1}}, "event.motion.swipe.direction: 'away' is none of"),
        ({"zones": [], "swipe": {"direction": "up", "speed": -1}}, "event.motion.swipe.speed: -1 is out of range"),
    ],
)
def test_the_checker_finds_faults_of_a_motion(motion: dict[str, Any], fault: str) -> None:
    assert any(found.startswith(fault) for found in faults(SCHEMA, event(flow_result(0)) | {"motion": motion}))


def test_labels_of_the_schema_are_those_of_the_card() -> None:
    track = SCHEMA["properties"]["tracks"]["items"]["properties"]
    assert tuple(track["expression"]["properties"]["label"]["enum"]) == load_card("expression_float").labels == LABELS


def test_values_are_those_of_the_result() -> None:
    one = result(3, n_faces=3)
    found = event(one)
    assert (found["seq"], found["t_ns"], found["size"]) == (3, one.frame.t_ns, [64, 48])
    for k, track in enumerate(found["tracks"]):
        assert track["id"] == k + 1
        assert track["xyxy"] == pytest.approx(one.output.tracks.xyxy[k].tolist(), abs=0.00501)
        assert track["score"] == pytest.approx(float(one.output.tracks.score[k]), abs=5.1e-5)
        assert track["is_predicted"] == (k == 1)
        probs = track["expression"]["probs"]
        assert probs == pytest.approx(one.output.prob[k].tolist(), abs=5.1e-5)
        assert track["expression"]["label"] == LABELS[probs.index(max(probs))]


def test_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    assert lines(tmp_path / "a.jsonl") == lines(tmp_path / "b.jsonl")


def test_nothing_depends_on_the_clock() -> None:
    one = result(3)
    late = Frame(one.frame.image, one.frame.seq, one.frame.captured_ns + 10**9, one.frame.t_ns)
    other = FrameResult(late, one.output, {"detect": 5.0}, "cpu", "float", {"net": "net.tflite"})
    assert event(other) == event(one)
    assert event(result(4)) != event(one)


def test_fifty_faces_are_one_whole_line(tmp_path: Path) -> None:
    file = open_events(tmp_path / "out.jsonl", True, Reports())
    file.write(result(0, n_faces=50))
    file.close()
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [track["id"] for track in json.loads(line)["tracks"]] == list(range(1, 51))


def test_counts_have_their_fields_only_where_something_is_watched() -> None:
    found = pose_result(0)
    assert "counting" not in event(found)
    gate, hall = Line("gate", ((0.0, 0.5), (1.0, 0.5))), Zone("hall", Zone.rectangle(0.0, 0.0, 1.0, 1.0))
    told = (CountEvent("gate", "enter", 4, 10**9, 9 * 10**8), CountEvent("hall", "exit", 2, 10**9, 8 * 10**8, 1.23456))
    counts = (Count(gate, entries=1), Count(hall, exits=1, inside=((3, 2.0), (4, 1.0))))
    output = dataclasses.replace(found.output, counting=Counting(counts, told))
    written = event(dataclasses.replace(found, output=output))
    assert faults(SCHEMA, written) == []
    assert written["counting"] == {
        "events": [
            {"name": "gate", "event": "enter", "id": 4, "since_ns": 9 * 10**8},
            {"name": "hall", "event": "exit", "id": 2, "since_ns": 8 * 10**8, "dwell_s": 1.235},
        ],
        "counts": [
            {"name": "gate", "entries": 1, "exits": 0, "inside": []},
            {"name": "hall", "entries": 0, "exits": 1, "inside": [3, 4]},
        ],
    }


def test_why_is_told_by_the_hybrid_tracker_only() -> None:
    one = pose_result(3, 2)
    winner, other = Candidate(1, 0.95, None, 0.8, -0.25), Candidate(2, 0.7, 1.5, 0.0)
    whys = (Why(1, "found_again", 5, winner, other), Why(2, "new", 7, Candidate(2)))
    told = event(dataclasses.replace(one, output=dataclasses.replace(one.output, whys=whys)))
    assert faults(SCHEMA, told) == []
    assert told["tracks"][0]["why"] == {
        "decision": "found_again",
        "t_ns": 5,
        "winner": {"id": 1, "appearance": 0.95, "heading": -0.25, "overlap": 0.8},
        "runner_up": {"id": 2, "appearance": 0.7, "motion": 1.5, "overlap": 0.0},
    }
    assert told["tracks"][1]["why"] == {"decision": "new", "t_ns": 7, "winner": {"id": 2}, "runner_up": None}
    assert all("why" not in track for track in event(one)["tracks"])
    with pytest.raises(ValueError, match="whys: expected none or 2"):
        dataclasses.replace(one.output, whys=whys[:1])
