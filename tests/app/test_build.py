# SPDX-License-Identifier: Apache-2.0
"""Which backend runs which precision, and the end of a program: every output is finalised, whatever the others do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.build import Networks, Program, backend_choices, expression_reason, precision_choices, resolve_backend
from app.config import BACKENDS, PRECISIONS, Settings
from app.frame import FrameResult
from app.output import queued_file
from app.output.queued_file import OutputError
from device.errors import BackendUnavailable
from models.fetch import FetchError
from models.results import Image
from tests.app.runtime.scripted import WAIT_S, Memory


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


@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_named_backend_is_used_or_refused(networks: Networks, backend: str, precision: str) -> None:
    assert resolve_backend(backend, precision) == backend
    if (backend, precision) in RUNS:
        assert networks.expression(backend, precision).card.precision == precision
        return
    is_built = backend in {name for name, _ in RUNS}
    wanted = f"does not run {precision} networks" if is_built else "is not part of this version"
    with pytest.raises(BackendUnavailable, match=f"^backend {backend} {wanted}; use --backend auto$"):
        networks.expression(backend, precision)


@pytest.mark.parametrize(("precision", "backend"), [("float", "cpu"), ("int8", "cpu"), ("w1a2", "lowbit")])
def test_auto_is_the_backend_that_runs_the_precision(precision: str, backend: str) -> None:
    assert resolve_backend("auto", precision) == backend
    reasons = {choice.value: choice.reason for choice in backend_choices(precision)}
    assert [name for name in BACKENDS if reasons[name] is None] == ["auto", backend]


def test_every_precision_can_be_picked_on_the_default_settings() -> None:
    assert [choice.reason for choice in precision_choices(Settings().backend)] == [None, None, None]
    greyed = {choice.value: choice.reason for choice in precision_choices("cpu")}
    assert greyed == {"float": None, "int8": None, "w1a2": expression_reason("cpu", "w1a2")}


def test_auto_without_kernels_is_refused_with_their_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_LOWBIT", "sse")
    assert resolve_backend("auto", "w1a2") == "lowbit"
    reasons = {choice.value: choice.reason or "" for choice in [*precision_choices("auto"), *backend_choices("w1a2")]}
    assert reasons["w1a2"] == reasons["auto"] == reasons["lowbit"]
    assert reasons["w1a2"].startswith("EDGE_LOWBIT=sse: expected auto")
    assert reasons["float"] == reasons["int8"] == ""


def test_networks_stay_loaded_and_tell_their_bits_and_time(networks: Networks) -> None:
    assert networks.expression_facts("lowbit", "w1a2") is None
    network = networks.expression("lowbit", "w1a2")
    assert networks.expression("lowbit", "w1a2") is network
    facts = networks.expression_facts("lowbit", "w1a2")
    assert facts is not None
    assert (facts.bits["weights"], facts.bits["activations"], facts.ms_p50) == (1, 2, 0.0)
    network.classify_grey(np.zeros((48, 48), np.uint8))
    facts = networks.expression_facts("lowbit", "w1a2")
    assert facts is not None
    assert facts.ms_p50 > 0
