# SPDX-License-Identifier: Apache-2.0
"""Which backend runs which precision, and the end of a program: every output is finalised, whatever the others do."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import backends
from app.backends import CARDS, auto_backends, backend_reason, network_reason, resolve_backend
from app.build import Networks, Program
from app.choices import Choice, backend_choices, method_choices, precision_choices
from app.config import BACKENDS, METHODS, PRECISIONS, Settings
from app.frame import FrameResult
from app.output import queued_file
from app.output.queued_file import OutputError
from device.errors import BackendUnavailable
from device.registry import probe_backend
from models.card import card_names
from models.fetch import FetchError
from models.results import Image
from tests.app.runtime.scripted import WAIT_S, Memory
from tests.device.fpga.standin import as_program


@pytest.fixture(autouse=True)
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a board nor a simulation, which may be built or not on this computer."""
    monkeypatch.setenv("EDGE_FPGA", "none")
    monkeypatch.setenv("EDGE_FPGA_SIM", "/nowhere/accel_sim")


@pytest.fixture
def networks() -> Iterator[Networks]:
    with Networks() as found:
        yield found


def test_recorder_that_hangs_does_not_cost_the_events(
    tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_file, "CLOSE_TIMEOUT_S", 0.2)
    release, is_drawing = threading.Event(), threading.Event()

    def draw(result: FrameResult[Any]) -> Image:
        is_drawing.set()
        release.wait(WAIT_S)
        return result.frame.image

    memory = Memory()
    try:
        program = Program(Settings(source="synthetic", pace="max"), networks, memory.listeners(), draw, max_frames=5)
    except FetchError as error:
        pytest.skip(str(error))
    program.record(tmp_path / "out.mp4")
    program.write_events(tmp_path / "out.jsonl")
    recorder = program.recorder
    program.start()
    assert memory.ended.wait(WAIT_S)
    assert is_drawing.wait(WAIT_S)
    with pytest.raises(OutputError, match=r"out\.mp4 was not finished within"):
        program.close()
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(5))
    assert program.events is not None
    assert program.events._file.closed
    release.set()
    assert recorder is not None
    recorder.close()
    assert recorder.n_written == 5


RUNS = {("cpu", "float"), ("cpu", "int8"), ("lowbit", "w1a2")}
NOT_HERE = {
    ("gpu", "float"): r"backend gpu finds no GPU here \(.+\); use --backend auto",
    ("gpu", "int8"): r"backend gpu finds no GPU here \(.+\); use --backend auto",
    ("fpga", "w1a2"): r"no accelerator here \(none: accelerator 'none': expected auto, uio, .*\)",
    ("fpga-sim", "w1a2"): "no simulated accelerator at /nowhere/accel_sim; build it with `make fpga-sim`",
}


@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_named_backend_is_used_or_refused(networks: Networks, backend: str, precision: str) -> None:
    assert resolve_backend(backend, precision) == backend
    if (backend, precision) in RUNS:
        assert networks.expression(backend, precision).card.precision == precision
        return
    does_not_run = f"backend {backend} does not run {precision} networks; use --precision .+, or --backend auto"
    wanted = NOT_HERE.get((backend, precision), does_not_run)
    with pytest.raises(BackendUnavailable, match=f"^{wanted}$"):
        networks.expression(backend, precision)


@pytest.mark.parametrize(("precision", "backend"), [("float", "cpu"), ("int8", "cpu"), ("w1a2", "lowbit")])
def test_auto_is_the_backend_that_runs_the_precision(precision: str, backend: str) -> None:
    assert resolve_backend("auto", precision) == backend
    reasons = {choice.value: choice.reason for choice in backend_choices(Settings(precision=precision))}
    assert [name for name in BACKENDS if reasons[name] is None] == ["auto", backend]


def test_every_precision_can_be_picked_on_the_default_settings() -> None:
    assert [choice.reason for choice in precision_choices(Settings())] == [None, None, None]
    greyed = {choice.value: choice.reason for choice in precision_choices(Settings(backend="cpu"))}
    assert greyed == {"float": None, "int8": None, "w1a2": backend_reason("cpu", "w1a2")}


def test_auto_without_kernels_is_refused_with_their_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_LOWBIT", "sse")
    assert resolve_backend("auto", "w1a2") == "lowbit"
    listed = [*precision_choices(Settings()), *backend_choices(Settings(precision="w1a2"))]
    reasons = {choice.value: choice.reason or "" for choice in listed}
    assert reasons["w1a2"] == reasons["auto"] == reasons["lowbit"]
    assert reasons["w1a2"].startswith("EDGE_LOWBIT=sse: expected auto")
    assert reasons["float"] == reasons["int8"] == ""


def test_networks_stay_loaded_and_tell_their_bits_and_time(networks: Networks) -> None:
    assert networks.facts("expression", "lowbit", "w1a2") is None
    network = networks.expression("lowbit", "w1a2")
    assert networks.expression("lowbit", "w1a2") is network
    facts = networks.facts("expression", "lowbit", "w1a2")
    assert facts is not None
    assert (facts.bits["weights"], facts.bits["activations"], facts.ms_p50) == (1, 2, 0.0)
    network.classify_grey(np.zeros((48, 48), np.uint8))
    facts = networks.facts("expression", "lowbit", "w1a2")
    assert facts is not None
    assert facts.ms_p50 > 0


def flow_precisions() -> list[str]:
    return [precision for precision, card in CARDS["flow"].items() if card in card_names()]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_flow_network_is_opened_or_refused_with_its_reason(networks: Networks, precision: str) -> None:
    assert networks.facts("flow", resolve_backend("auto", precision), precision) is None
    if precision not in flow_precisions():
        wanted = f"no {precision} network for task flow here (there is no card flow_{precision}); use --method dis, or"
        with pytest.raises(BackendUnavailable, match=f"^{re.escape(wanted)}"):
            networks.choose_flow("auto", precision)
        return
    network = networks.choose_flow("auto", precision)
    assert network is networks.flow(network.backend_name, precision)
    facts = networks.facts("flow", network.backend_name, precision)
    assert facts is not None
    assert (facts.bits, facts.ms_p50) == (network.card.fields["bits"], 0.0)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 96, 128, 3), np.uint8)
    network(*pictures)
    facts = networks.facts("flow", network.backend_name, precision)
    assert facts is not None
    assert facts.ms_p50 > 0
    assert [row["name"] for row in networks.figures()] == [f"flow_{precision}"]
    assert networks.facts("expression", network.backend_name, precision) is None


def test_cards_are_looked_for_only_where_the_backend_could_run_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "card_names", lambda: ["expression_int8", "flow_float"])
    assert network_reason("flow", "cpu", "float") is None
    assert network_reason("expression", "cpu", "int8") is None
    assert (network_reason("flow", "cpu", "int8") or "").endswith("use --method dis, or another --precision")
    assert network_reason("flow", "cpu", "w1a2") == backend_reason("cpu", "w1a2")


def reasons(choices: list[Choice]) -> dict[str, str | None]:
    return {choice.value: choice.reason for choice in choices}


@pytest.mark.parametrize("method", ["dis", "farneback", "lk"])
def test_a_method_without_a_network_has_neither_precision_nor_backend(method: str) -> None:
    settings = Settings(task="flow", method=method)
    wanted = f"method {method} has no network"
    assert reasons(backend_choices(settings)) == dict.fromkeys(BACKENDS, wanted)
    assert reasons(precision_choices(settings)) == dict.fromkeys(PRECISIONS, wanted)
    assert reasons(method_choices(settings))[method] is None


def test_methods_are_those_of_task_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = "task expression has no choice of method"
    assert reasons(method_choices(Settings())) == dict.fromkeys(METHODS, wanted)
    assert reasons(precision_choices(Settings(method="dis"))) == dict.fromkeys(PRECISIONS, None)
    monkeypatch.setattr(backends, "card_names", lambda: ["flow_float"])
    assert reasons(method_choices(Settings(task="flow"))) == dict.fromkeys(METHODS, None)
    greyed = reasons(method_choices(Settings(task="flow", precision="int8")))
    assert [name for name in METHODS if greyed[name]] == ["net"]
    assert [p for p, reason in reasons(precision_choices(Settings(task="flow"))).items() if not reason] == ["float"]


def run_program(settings: Settings, networks: Networks, n_frames: int, change: Callable[[Program], None]) -> Memory:
    """Run a program to its end; `change` is called after its third result, in the inference thread."""
    memory = Memory()
    listeners = memory.listeners()

    def on_result(result: FrameResult[Any]) -> None:
        listeners.on_result(result)
        if len(memory.results) == 3:
            change(program)

    program = Program(settings, networks, replace(listeners, on_result=on_result), max_frames=n_frames)
    program.start()
    assert memory.ended.wait(WAIT_S)
    program.close()
    assert memory.errors == []
    return memory


def test_flow_without_a_network_needs_none_and_says_so(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "card_names", list)  # where no network is at all
    settings = Settings(source="synthetic:1", task="flow", method="dis", backend="fpga", precision="w1a2", pace="max")
    figures: list[dict[str, Any]] = []
    memory = run_program(settings, networks, 4, lambda program: figures.append(program.statistics()))
    outputs = [result.output for result in memory.results]
    assert [output.method for output in outputs] == ["dis"] * 4
    assert [output.epe_px is not None for output in outputs] == [False, True, True, True]  # the source tells its flow
    assert {(result.backend, result.precision, *result.models) for result in memory.results} == {("cpu", "float")}
    assert [figures[0][key] for key in ("task", "backend", "precision", "models")] == ["flow", "cpu", "float", []]
    assert {"flow", "compare", "motion", "capture"} == set(figures[0]["stage_ms"])


def test_the_method_changes_between_two_frames(networks: Networks) -> None:
    settings = Settings(source="synthetic:1", task="flow", method="dis", pace="max")
    memory = run_program(settings, networks, 6, lambda p: p.select(replace(settings, method="lk")))
    assert [result.output.method for result in memory.results] == ["dis"] * 3 + ["lk"] * 3
    assert all(result.output.mean_uv() is not None for result in memory.results[1:])


def test_a_method_that_cannot_be_used_changes_nothing(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "card_names", list)
    settings = Settings(source="synthetic:1", task="flow", method="dis", pace="max")
    kept: list[Settings] = []

    def change(program: Program) -> None:
        with pytest.raises(BackendUnavailable, match="no float network for task flow here"):
            program.select(replace(settings, method="net"))
        kept.append(program.settings)

    memory = run_program(settings, networks, 5, change)
    assert kept == [settings]
    assert [result.output.method for result in memory.results] == ["dis"] * 5


def test_the_flow_network_runs_in_the_program(networks: Networks) -> None:
    if not flow_precisions():
        pytest.skip("there is no card of a flow network in models/cards")
    precision = flow_precisions()[0]
    settings = Settings(source="synthetic:1", task="flow", method="net", precision=precision, pace="max")
    memory = run_program(settings, networks, 5, lambda p: p.select(replace(settings, method="dis")))
    assert [result.output.method for result in memory.results] == ["net"] * 3 + ["dis"] * 2
    assert memory.results[0].models == {"flow": networks.choose_flow("auto", precision).card.file.split("/")[-1]}
    assert all(output.epe_px is not None for output in (result.output for result in memory.results[1:]))


def test_poses_run_in_the_program_at_each_precision(networks: Networks) -> None:
    settings = Settings(source="synthetic:1", task="pose", pace="max", detect_every=2)
    memory = run_program(settings, networks, 5, lambda p: p.select(replace(settings, precision="int8")))
    assert [result.precision for result in memory.results] == ["float"] * 3 + ["int8"] * 2
    assert {result.backend for result in memory.results} == {"cpu"}
    assert memory.results[-1].models["pose"] == "movenet_thunder_int8.tflite"
    assert {"detect", "track", "pose", "smooth"} <= set(memory.results[0].stage_ms)
    assert all(len(result.output.keypoints) == len(result.output.tracks) for result in memory.results)


def test_a_pose_network_that_is_not_here_is_refused_and_changes_nothing(networks: Networks) -> None:
    settings = Settings(source="synthetic:1", task="pose", pace="max")
    wanted = "no w1a2 network for task pose here (there is no card pose_w1a2); use another --precision"
    assert network_reason("pose", "lowbit", "w1a2") in (wanted, backend_reason("lowbit", "w1a2"))
    assert reasons(precision_choices(settings))["float"] is None
    assert reasons(precision_choices(settings))["int8"] is None
    assert reasons(precision_choices(settings))["w1a2"] is not None

    def change(program: Program) -> None:
        with pytest.raises(BackendUnavailable, match=r"for task pose here|kernels"):
            program.select(replace(settings, precision="w1a2"))

    memory = run_program(settings, networks, 4, change)
    assert [result.precision for result in memory.results] == ["float"] * 4
    assert networks.facts("identity", "cpu", "float") is None


def test_auto_never_takes_a_simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FPGA_SIM", str(as_program(tmp_path)))
    monkeypatch.setenv("EDGE_FPGA", f"file:{tmp_path}/board")
    for backend in ("fpga", "fpga-sim"):
        assert backend_reason(backend, "w1a2") is None
    assert list(auto_backends("w1a2")) == ["lowbit"]


def pretend_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probe find a board; opening it fails all the same."""
    monkeypatch.setattr(backends, "probe_backend", lambda name, wait: name == "fpga" or probe_backend(name, wait))


def test_auto_takes_a_board_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_board(monkeypatch)
    assert list(auto_backends("w1a2")) == ["fpga", "lowbit"]
    assert resolve_backend("auto", "float") == "cpu"


def test_auto_goes_on_where_the_board_cannot_be_opened_and_a_named_one_is_refused(
    networks: Networks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretend_board(monkeypatch)
    with caplog.at_level(logging.INFO):
        assert networks.choose_expression("auto", "w1a2").backend_name == "lowbit"
    assert "backend auto: fpga not used: accelerator 'none': expected auto" in caplog.text
    with pytest.raises(BackendUnavailable, match=r"^accelerator 'none': expected auto, uio"):
        networks.choose_expression("fpga", "w1a2")


def test_simulated_cycles_are_told_as_such(networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FPGA_SIM", str(as_program(tmp_path)))
    network = networks.choose_expression("fpga-sim", "w1a2")
    assert network.last_cycles is None
    grey = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48).astype(np.uint8)
    found, expected = network.classify_grey(grey), networks.choose_expression("lowbit", "w1a2").classify_grey(grey)
    np.testing.assert_array_equal(found, expected)
    facts = networks.facts("expression", "fpga-sim", "w1a2")
    assert facts is not None
    assert facts.cycles is not None
    assert (facts.cycles.n, facts.cycles.clock_hz) == (network.last_cycles.n if network.last_cycles else 0, 100_000_000)
    simulated, on_cpu = networks.figures()
    assert list(simulated) == ["name", "sha256", "ms_p50", "cycles", "clock_hz", "simulated"]
    assert (simulated["cycles"], simulated["clock_hz"], simulated["simulated"]) == (facts.cycles.n, 100_000_000, True)
    assert list(on_cpu) == ["name", "sha256", "ms_p50"]
