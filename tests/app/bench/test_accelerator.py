# SPDX-License-Identifier: Apache-2.0
"""The accelerator's rows say what they are: MODEL or simulated, never measured, without the ARM's work."""

from __future__ import annotations

import json

import pytest

from app.bench import accelerator
from app.bench.accelerator import low_bit_files, measure_accelerator, rows_of, table
from device.errors import BackendUnavailable
from device.registry import probe_backend
from models.convert.bundle import program_file


def test_model_rows_without_a_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FPGA_SIM", "/nowhere/accel_sim")
    found = measure_accelerator()
    json.dumps(found, allow_nan=False)
    assert found["not_simulated"] == "no simulated accelerator at /nowhere/accel_sim; build it with `make fpga-sim`"
    assert [(row["network"], row["simulated"]) for row in found["rows"]] == [("expression", None), ("flow", None)]
    for row in found["rows"]:
        assert [model["clock_mhz"] for model in row["model"]] == [100, 150]
        for model in row["model"]:
            assert model["ms"] == pytest.approx(model["cycles"] / model["clock_mhz"] / 1e3, abs=1e-4)
    text = table(found)
    for said in (
        "expression, MODEL",
        "flow, MODEL",
        "not simulated: no simulated",
        "no board was measured",
        "ARM work",
        "excluded",
    ):
        assert said in text


def test_simulated_rows_beside_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "probe_backend", lambda name: "simulated")
    monkeypatch.setattr(accelerator, "simulate", lambda path, name: accelerator.figures(41_000, 100e6))
    found = measure_accelerator()
    assert found["rows"][0]["simulated"] == {"clock_mhz": 100, "cycles": 41_000, "ms": 0.41}
    assert "expression, simulated" in table(found)
    assert "not simulated" not in table(found)


def test_the_simulated_unit_counts_what_the_model_says_within_a_half() -> None:
    """That they are near is for `make sim`; here that a program of the card runs and its cycles arrive."""
    try:
        probe_backend("fpga-sim")
    except BackendUnavailable as error:
        pytest.skip(str(error))
    paths = low_bit_files()
    assert paths == [program_file("expression"), program_file("flow")]
    for path in paths:
        (row,) = rows_of(path, is_simulated=True)
        assert row["simulated"]["cycles"] == pytest.approx(row["model"][0]["cycles"], rel=0.5)
        assert row["simulated"]["clock_mhz"] == 100
