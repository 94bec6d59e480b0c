# SPDX-License-Identifier: Apache-2.0
"""The contract of `python -m app`, as those who script against it see it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from models.fetch import DEMO_CLIP, fetched
from tests.app.program import Ended, end, events, n_frames, run, running
from tests.device.fpga.standin import as_program

N = 100
STATS = {"schema", "version", "source", "task", "backend", "precision", "frames", "wall_s", "fps", "latency_ms"}
FEW = 10
"""Frames on the simulated accelerator, which the stand-in of the tests plays."""
STATS |= {"stage_ms", "rss_mb", "models"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("program")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Ended]:
    """Return the runs of this module by the name of their files, done two at a time."""

    def demo(name: str, more: str = "") -> tuple[str, Ended]:
        flags = f"--headless --pace max --source demo --frames {N} --events {name}.jsonl --stats {name}.json {more}"
        return name, run(folder, flags, EDGE_FPGA_SIM=str(simulation))

    fetched(DEMO_CLIP)
    simulation = as_program(folder)
    with ThreadPoolExecutor(2) as two:
        started = [
            two.submit(demo, "float_1", "--record float_1.mp4"),
            two.submit(demo, "float_2", "--record float_2.mp4"),
            two.submit(demo, "int8_1", "--precision int8"),
            two.submit(demo, "int8_2", "--precision int8 --verbose"),
            two.submit(demo, "w1a2_1", "--precision w1a2"),
            two.submit(demo, "w1a2_2", "--precision w1a2 --backend lowbit"),
            two.submit(demo, "simulated", f"--precision w1a2 --backend fpga-sim --frames {FEW} --record simulated.mp4"),
            two.submit(demo, "synthetic", "--source synthetic:3 --frames 40"),
            two.submit(demo, "flow_1", "--task flow --method dis --record flow_1.mp4"),
            two.submit(demo, "flow_2", "--task flow --method dis --precision w1a2"),
            two.submit(lambda: ("list", run(folder, "--list"))),
        ]
        return dict(each.result() for each in started)


def statistics(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


def test_good_runs_end_with_0_and_say_nothing_on_stderr(runs: dict[str, Ended]) -> None:
    for name in (
        "float_1",
        "float_2",
        "int8_1",
        "w1a2_1",
        "w1a2_2",
        "simulated",
        "synthetic",
        "flow_1",
        "flow_2",
        "list",
    ):
        assert (runs[name].code, runs[name].said) == (0, []), name


@pytest.mark.parametrize("precision", ["float", "int8", "w1a2"])
def test_events_of_two_runs_are_the_same_bytes(runs: dict[str, Ended], folder: Path, precision: str) -> None:
    one, two = (folder / f"{precision}_{k}.jsonl" for k in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    assert [event["seq"] for event in events(one)] == list(range(N))


def test_flow_is_deterministic_and_has_its_statistics(runs: dict[str, Ended], folder: Path) -> None:
    assert (folder / "flow_1.jsonl").read_bytes() == (folder / "flow_2.jsonl").read_bytes()
    found = events(folder / "flow_1.jsonl")
    assert [event["seq"] for event in found] == list(range(N))
    assert [event["flow"]["mean_uv"] is None for event in found] == [True] + [False] * (N - 1)
    assert max(event["flow"]["max_px"] for event in found[1:]) > 2
    figures = statistics(folder, "flow_2")
    assert set(figures) == STATS
    assert [figures[key] for key in ("task", "backend", "precision", "models")] == ["flow", "cpu", "float", []]
    assert set(figures["stage_ms"]) == {"capture", "flow", "motion"}
    assert n_frames(folder / "flow_1.mp4") == N


def test_precision_changes_the_probabilities_and_no_box(runs: dict[str, Ended], folder: Path) -> None:
    found = [events(folder / f"{precision}_1.jsonl") for precision in ("float", "int8", "w1a2")]
    boxes = [[[track["xyxy"] for track in event["tracks"]] for event in run] for run in found]
    assert boxes[0] == boxes[1] == boxes[2]
    assert found[0] != found[1] != found[2]


def test_one_face_keeps_one_id(runs: dict[str, Ended], folder: Path) -> None:
    ids = [[track["id"] for track in event["tracks"]] for event in events(folder / "float_1.jsonl")]
    assert ids == [[1]] * N


@pytest.mark.parametrize("name", ["float_1", "int8_1", "w1a2_1", "synthetic"])
def test_statistics_have_the_keys_of_the_contract(runs: dict[str, Ended], folder: Path, name: str) -> None:
    found = statistics(folder, name)
    assert set(found) == STATS
    assert set(found["frames"]) == {"captured", "processed", "dropped"}
    assert set(found["fps"]) == {"capture", "inference", "display"}
    assert set(found["latency_ms"]) == {"p50", "p95", "p99"}
    assert {"capture", "detect", "track", "expression"} <= set(found["stage_ms"])
    assert all(set(ms) == {"p50", "p95"} for ms in found["stage_ms"].values())
    assert all(set(model) == {"name", "sha256", "ms_p50"} for model in found["models"])
    frames = found["frames"]
    assert (frames["captured"], frames["dropped"]) == (frames["processed"], 0)


@pytest.mark.parametrize(("precision", "backend"), [("float", "cpu"), ("int8", "cpu"), ("w1a2", "lowbit")])
def test_statistics_name_what_really_ran(runs: dict[str, Ended], folder: Path, precision: str, backend: str) -> None:
    found = statistics(folder, f"{precision}_1")
    assert (found["backend"], found["precision"], found["task"]) == (backend, precision, "expression")
    assert found["frames"]["processed"] == N
    names = {model["name"] for model in found["models"]}
    assert names == {f"expression_{precision}", "blazeface_short", "blazeface_full"}
    assert f"({backend}, {precision})" in runs[f"{precision}_1"].out


def test_recording_plays_frame_for_frame(runs: dict[str, Ended], folder: Path) -> None:
    assert n_frames(folder / "float_1.mp4") == N
    assert (folder / "float_1.mp4").read_bytes() == (folder / "float_2.mp4").read_bytes()


def test_simulated_accelerator_gives_the_same_events_and_says_its_cycles(runs: dict[str, Ended], folder: Path) -> None:
    assert events(folder / "simulated.jsonl") == events(folder / "w1a2_1.jsonl")[:FEW]
    found = statistics(folder, "simulated")
    assert set(found) == STATS
    assert (found["backend"], found["precision"]) == ("fpga-sim", "w1a2")
    (counted,) = [model for model in found["models"] if "cycles" in model]
    assert (counted["name"], counted["clock_hz"], counted["simulated"]) == ("expression_w1a2", 100_000_000, True)
    ms = counted["cycles"] / 1e5
    said = f"simulated accelerator: {counted['cycles']:,} cycles = {ms:.2f} ms at 100 MHz (expression_w1a2, the last"
    assert said in runs["simulated"].out
    assert n_frames(folder / "simulated.mp4") == FEW


def test_synthetic_source_has_faces_that_are_found(runs: dict[str, Ended], folder: Path) -> None:
    found = events(folder / "synthetic.jsonl")
    assert len(found) == 40
    assert sum(len(event["tracks"]) > 0 for event in found) > 30


def test_list_tells_sources_backends_and_models(runs: dict[str, Ended]) -> None:
    lines = runs["list"].out.splitlines()
    for heading in ("sources", "tasks", "methods", "backends", "models"):
        assert heading in lines
    words = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert {"demo", "synthetic", "cpu", "gpu", "fpga", "float", "int8", "w1a2", "expression_int8"} <= set(words)
    assert "available" in words["cpu"]
    assert "available" in words["lowbit"]
    assert "backend gpu finds no GPU here (" in words["gpu"]
    assert words["expression_int8"].endswith("ready")


def test_verbose_says_what_auto_became(runs: dict[str, Ended]) -> None:
    assert any(line.startswith("backend auto: lowbit not used") for line in runs["int8_2"].said)


def test_without_a_display_video_and_figures_are_left_in_out(folder: Path) -> None:
    done = run(folder, "--frames 40")
    assert (done.code, done.said) == (0, [])
    assert done.out.startswith("no display was found: running headless on demo; the video goes to out/demo.mp4\n")
    assert "40 frames, 40 processed, 0 dropped" in done.out
    assert n_frames(folder / "out/demo.mp4") == 40
    assert json.loads((folder / "out/demo.json").read_text())["frames"]["processed"] == 40
    before = (folder / "out/demo.mp4").read_bytes()
    again = run(folder, "--source out/demo.mp4")  # to look at it: must not be recorded over
    assert (again.code, len(again.said)) == (1, 1)
    assert (folder / "out/demo.mp4").read_bytes() == before


def test_events_may_go_down_a_pipe(folder: Path) -> None:
    done = run(folder, "--headless --source demo --pace max --frames 5 --events /dev/stdout")
    assert (done.code, done.said) == (0, [])
    assert [json.loads(line)["seq"] for line in done.out.splitlines() if line.startswith("{")] == list(range(5))


def wait_for(is_true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_program_leaves_whole_files(tmp_path: Path, number: signal.Signals) -> None:
    out, video = tmp_path / "e.jsonl", tmp_path / "v.mp4"
    with running(tmp_path, "--headless --source demo --record v.mp4 --events e.jsonl --stats s.json") as process:
        wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") >= 10 and video.stat().st_size > 200_000)
        process.send_signal(number)
        done = end(process, 10)
    found = events(out)
    assert len(found) >= 10
    if number == signal.SIGKILL:
        assert n_frames(video) >= 3
        return
    assert (done.code, done.said) == (0, [])
    assert n_frames(video) == len(found)
    assert abs(statistics(tmp_path, "s")["frames"]["processed"] - len(found)) <= 1  # a frame may come while it stops


BLOCK = """
import runpy, signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start what runs in its background without
import {module}
count = 0
true = {module}.{name}
def block(*given):
    global count
    count += 1
    if count > {calls}:
        print("blocked", flush=True)
        threading.Event().wait()
    return true(*given)
{module}.{name} = block
runpy.run_module("app", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("module", "name", "thread"),
    [("app.sources.clip", "Clip.read", "capture"), ("app.tasks.faces", "FaceFinder.track", "inference")],
)
def test_thread_that_hangs_is_left_behind(tmp_path: Path, module: str, name: str, thread: str) -> None:
    script = BLOCK.format(module=module, name=name, calls=10)
    flags = "--headless --source demo --record v.mp4 --events e.jsonl --stats s.json"
    with running(tmp_path, flags, script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "blocked\n"
        wait_for(lambda: (tmp_path / "e.jsonl").read_bytes().count(b"\n") >= 8)
        process.send_signal(signal.SIGINT)
        done = end(process, 10)
    assert done.wall_s < 4
    assert done.code == 1
    assert len(done.said) == 1
    assert done.said[0].startswith(f"thread '{thread}' did not stop within 2.0 s")
    found = events(tmp_path / "e.jsonl")
    assert n_frames(tmp_path / "v.mp4") == len(found) >= 8
    assert abs(statistics(tmp_path, "s")["frames"]["processed"] - len(found)) <= 1


def test_interrupt_before_the_first_frame_is_one_sentence(tmp_path: Path) -> None:
    script = BLOCK.format(module="app.build", name="open_source", calls=0)
    with running(tmp_path, "--headless --source demo --events e.jsonl", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "blocked\n"
        process.send_signal(signal.SIGINT)
        done = end(process, 10)
    assert (done.code, done.said) == (1, ["interrupted, no run was going on"])
    assert not (tmp_path / "e.jsonl").exists()
