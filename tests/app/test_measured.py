# SPDX-License-Identifier: Apache-2.0
"""What `auto` means is measured, kept and said; nothing about the file of it can stop the program."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import measured as measured_module
from app.__main__ import choose_measured
from app.cli import parse
from app.inventory import inventory
from app.measured import Candidate, Measured, Row, machine, pairs, quiet_ms, sha256_of, table
from app.opened_networks import Networks
from device import gpu_process
from device.backend import TensorSpec
from device.errors import BackendUnavailable
from tests.device.gpu_here import use_stand_in

GREY = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


@pytest.fixture(autouse=True)
def _no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FPGA", "uio:none")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "measured.json"


def row(precision: str, backend: str, ms: float | None, note: str = "") -> Row:
    return Row("expression", precision, backend, sha256_of("expression", precision), "device", ms, note)


def stored(path: Path, *rows: Row) -> Measured:
    """Return what a program finds that has these rows on its disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = [dataclasses.asdict(each) for each in rows]
    path.write_text(json.dumps({"schema": 1, "machine": machine(), "rows": fields}), encoding="utf-8")
    return Measured(path)


def test_the_fastest_is_first_and_what_cannot_run_is_left_out(path: Path) -> None:
    found = stored(path, row("float", "cpu", 2.0), row("float", "gpu", 1.0), row("int8", "gpu", None, "refused"))
    assert found.order("expression", "float") == ["gpu", "cpu"]
    assert found.order("expression", "int8") == found.order("flow", "float") == []


@pytest.mark.parametrize(
    ("int8_ms", "said"),
    [
        (1.3, "int8 is 1.3x slower than float on this CPU: float is used"),
        (0.25, "int8 is 4.0x faster on this CPU"),
    ],
)
def test_the_verdict_compares_precisions_in_words(path: Path, int8_ms: float, said: str) -> None:
    verdict = stored(path, row("float", "cpu", 1.0), row("float", "gpu", 9.0), row("int8", "cpu", int8_ms)).verdict(
        "expression", "float"
    )
    assert str(verdict) == f"expression, float: cpu is used (1.00 ms, gpu 9.00 ms); {said}"


def test_without_a_measurement_there_is_no_verdict(path: Path) -> None:
    assert Measured(path).verdict("expression", "float") is None
    assert stored(path, row("int8", "cpu", 1.0)).verdict("expression", "float") is None


def test_measuring_fills_the_file_and_is_done_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in(monkeypatch, "Faithful")
    told: list[tuple[str, str]] = []
    Measured(path).measure("expression", lambda *pair: told.append(pair))
    assert told == list(pairs("expression"))
    again = Measured(path)
    assert again.missing("expression") == []
    by_pair = {(r.precision, r.backend): r for r in again.rows()}
    for pair in (("float", "cpu"), ("float", "gpu"), ("int8", "cpu"), ("int8", "gpu")):
        ms = by_pair[pair].ms
        assert ms is not None
        assert 0.01 < ms < 1000
    assert by_pair["float", "gpu"].note == "differs from the CPU by 0.0e+00 of the largest value"
    assert by_pair["w1a2", "fpga"].ms is None
    assert "no accelerator here" in by_pair["w1a2", "fpga"].note
    again.measure("expression", lambda *pair: told.append(pair))
    assert len(told) == len(list(pairs("expression")))
    again.forget()
    assert again.missing("expression") == list(pairs("expression"))


def test_another_device_is_measured_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in(monkeypatch, "Faithful")
    found = stored(path, *(dataclasses.replace(row(*pair, 1.0), device="old driver") for pair in pairs("expression")))
    assert found.missing("expression") == list(pairs("expression"))


def test_a_hanging_driver_costs_its_limit_and_is_a_row_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in(monkeypatch, "HangsBuilding")
    monkeypatch.setattr(gpu_process, "OPEN_LIMIT_S", 1.0)
    start = time.monotonic()
    with ExitStack() as opened:
        candidate = Candidate("expression", "float", "gpu", opened)
        candidate.take_turn()
        found = candidate.row
    assert time.monotonic() - start < 15
    assert found.ms is None
    assert "hangs: 1 s passed in building" in found.note


def test_measuring_ends_when_told_and_after_its_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    Measured(path).measure("expression", lambda *pair: told.append(pair), lambda: True)
    monkeypatch.setattr(measured_module, "MOST_S", -1.0)
    Measured(path).measure("expression", lambda *pair: told.append(pair))
    assert told == []
    assert Measured(path).rows() == ()


BROKEN: dict[str, Callable[[dict[str, Any]], str]] = {
    "empty": lambda whole: "",
    "half": lambda whole: json.dumps(whole)[:40],
    "another kind": lambda whole: "[]",
    "deep": lambda whole: "[" * 100_000,
    "another schema": lambda whole: json.dumps({**whole, "schema": 99}),
    "another machine": lambda whole: json.dumps({**whole, "machine": {**whole["machine"], "processor": "other"}}),
    "another version": lambda whole: json.dumps({**whole, "machine": {**whole["machine"], "ai-edge-litert": "1.0"}}),
    "a row too short": lambda whole: json.dumps({**whole, "rows": [{"task": "expression"}]}),
    "a time of minus one": lambda whole: json.dumps({**whole, "rows": [{**whole["rows"][0], "ms": -1}]}),
    "no number": lambda whole: json.dumps({**whole, "rows": [{**whole["rows"][0], "ms": float("nan")}]}),
    "a name that is a number": lambda whole: json.dumps({**whole, "rows": [{**whole["rows"][0], "task": 3}]}),
}


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_as_if_it_were_empty(path: Path, content: str) -> None:
    assert stored(path, row("float", "cpu", 1.0)).rows() != ()
    path.write_text(BROKEN[content](json.loads(path.read_text())), encoding="utf-8")
    assert Measured(path).rows() == ()


def test_rows_of_another_network_file_do_not_count(path: Path) -> None:
    old = dataclasses.replace(row("float", "cpu", 1.0), sha256="0" * 64)
    assert stored(path, old).rows() == ()
    assert stored(path, dataclasses.replace(old, task="gone")).rows() == ()


def test_a_place_that_cannot_be_written_does_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    found = Measured(tmp_path / "file" / "measured.json")
    found.measure("expression", is_stopped=lambda: False)
    assert found.verdict("expression", "float") is not None


def test_auto_takes_the_fastest_where_it_was_measured(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in(monkeypatch, "Faithful")
    with Networks() as networks:
        assert networks.choose_expression("auto", "float").backend_name == "cpu"
        networks.measured = stored(path, row("float", "cpu", 2.0), row("float", "gpu", 1.0))
        assert networks.is_slow_to_open("expression", "auto", "float")
        assert networks.choose_expression("auto", "float").backend_name == "gpu"
        assert not networks.is_slow_to_open("expression", "auto", "float")
        assert networks.choose_expression("auto", "int8").backend_name == "cpu"


def test_auto_goes_on_where_the_fastest_is_not_here_any_more(path: Path) -> None:
    with Networks() as networks:
        networks.measured = stored(path, row("float", "cpu", 2.0), row("float", "gpu", 1.0))
        networks.prepare("expression", "auto", "float")
        assert networks.choose_expression("auto", "float").backend_name == "cpu"
        assert not networks.is_slow_to_open("expression", "auto", "float")


def test_a_gpu_that_refuses_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in(monkeypatch, "Refuses")
    with Networks() as networks:
        for _ in range(2):
            with pytest.raises(BackendUnavailable, match="the GPU driver refuses expression_float"):
                networks.expression("gpu", "float")
            monkeypatch.setattr("device.registry.GpuBackend", None)  # a second try would fail otherwise


def test_a_gpu_that_fails_in_a_run_is_demoted_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in(monkeypatch, "LaterNan")
    told: list[str] = []
    with Networks() as networks:
        networks.on_demoted = told.append
        network = networks.expression("gpu", "float")
        expected = networks.expression("cpu", "float").classify_grey(GREY)
        for _ in range(3):
            np.testing.assert_allclose(network.classify_grey(GREY), expected, atol=1e-6)
        assert network.backend_name == "cpu"
        assert len(told) == 1
        assert told[0].startswith("expression_float runs on the CPU from now on: the GPU gave NaN or infinity")
        with pytest.raises(BackendUnavailable, match="the GPU gave NaN"):
            networks.expression("gpu", "float")
        assert networks.choose_expression("auto", "float").backend_name == "cpu"


def test_time_leaves_out_the_first_run() -> None:
    class Slowing:
        name = "slowing"
        inputs: tuple[TensorSpec, ...] = ()
        outputs: tuple[TensorSpec, ...] = ()
        n = 0

        def run(self, inputs: Any) -> Any:
            self.n += 1
            time.sleep(0.5 if self.n == 1 else 0.002)
            return {}

        def close(self) -> None: ...

    assert 2 <= quiet_ms(Slowing(), {}) < 20


def test_a_device_that_fails_while_it_is_timed_is_a_row_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in(monkeypatch, "LaterFailure")
    with ExitStack() as opened:
        candidate = Candidate("expression", "float", "gpu", opened)
        for _ in range(3):
            candidate.take_turn()
    assert candidate.row.ms is None
    assert "device lost" in candidate.row.note


def test_list_has_the_table_and_what_follows(path: Path) -> None:
    found = stored(path, row("float", "cpu", 1.0), row("float", "gpu", None, "no GPU here (none)"))
    text = inventory(found)
    assert "\n  expression:float:cpu        1.000 ms, device\n" in text
    assert "\n  expression:float:gpu     no GPU here (none)\n" in text
    assert text.endswith("\n  auto: expression, float: cpu is used (1.00 ms)")
    assert "nothing yet: a window measures at first use" in inventory(Measured(path.with_name("none.json")))
    assert table(()) == []


def test_a_headless_run_measures_only_when_asked(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else `auto` of a script would depend on what some window once measured."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(path.parent))
    stored(path.parent / "edge-vision" / "measured.json", row("float", "cpu", 2.0))
    with Networks() as networks:
        choose_measured(parse(["--headless"]), networks)
        assert networks.measured is None
        choose_measured(parse([]), networks)
        assert networks.measured is not None
        assert [r.ms for r in networks.measured.rows()] == [2.0]
        choose_measured(parse(["--measure"]), networks)
        assert networks.measured is not None
        assert networks.measured.rows() == ()  # the window measures, beside its picture
        assert "measuring" not in capsys.readouterr().err
        choose_measured(parse(["--headless", "--measure", "--precision", "int8"]), networks)
        assert networks.measured is not None
        assert len(networks.measured.rows()) == len(list(pairs("expression")))
    said = capsys.readouterr().err
    assert "measuring expression w1a2 on lowbit\n" in said
    assert "expression, int8: cpu is used (" in said
