# SPDX-License-Identifier: Apache-2.0
"""What `--list` prints, with and without the fetched files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from app import choices
from app.config import BACKENDS, METHODS, PRECISIONS, TASKS
from app.inventory import inventory
from models import card
from models.card import card_names


def sections(text: str) -> dict[str, dict[str, str]]:
    """Return {section: {first word of a line: the rest}}."""
    found: dict[str, dict[str, str]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("  "):
            name, _, rest = line.strip().partition(" ")
            found[title][name] = rest.strip()
        else:
            title = line
            found[title] = {}
    return found


@pytest.fixture
def no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "list_cameras", list)


@pytest.fixture(autouse=True)
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a board nor a simulation, which may be built or not on this computer."""
    monkeypatch.setenv("EDGE_FPGA", "uio:none")
    monkeypatch.setenv("EDGE_FPGA_SIM", "/nowhere/accel_sim")


@pytest.mark.usefixtures("no_camera")
def test_every_choice_is_listed_with_its_reason() -> None:
    found = sections(inventory())
    assert list(found) == ["sources", "tasks", "methods", "backends", "precisions", "models", "measured"]
    assert found["sources"]["camera:N"].startswith("no camera found here")
    assert {"demo", "synthetic"} <= set(found["sources"])
    assert tuple(found["tasks"]) == TASKS
    assert tuple(found["methods"]) == METHODS
    assert tuple(found["backends"]) == BACKENDS
    assert tuple(found["precisions"]) == PRECISIONS
    available = {name for part in found.values() for name, reason in part.items() if reason.startswith("available")}
    has_flow = "flow_float" in card_names()
    assert available - {"net"} == {
        "expression",
        "flow",
        "pose",
        "dis",
        "farneback",
        "lk",
        "auto",
        "cpu",
        "lowbit",
        "float",
        "int8",
        "w1a2",
    }
    assert re.fullmatch(r"available \(.+ kernels\)", found["backends"]["lowbit"])
    backends = {name: reason.removeprefix("available ") for name, reason in found["precisions"].items()}
    assert backends == {"float": "(backend cpu)", "int8": "(backend cpu)", "w1a2": "(backend lowbit)"}
    without = "no float network for task flow here (there is no card flow_float); use --method dis, or"
    assert found["methods"]["net"].startswith("available" if has_flow else without)
    assert found["methods"]["dis"] == "available (no network)"
    assert found["tasks"]["pose"] == "available"
    for name in ("face", "identity"):
        assert found["tasks"][name] == f"task {name} is not part of this version"
    assert found["backends"]["fpga"].startswith("no accelerator here (uio:none: accelerator 'uio:none': expected auto")
    wanted = "no simulated accelerator at /nowhere/accel_sim; build it with `make fpga-sim`"
    assert found["backends"]["fpga-sim"] == wanted


@pytest.mark.usefixtures("no_camera")
def test_accelerators_are_listed_and_never_chosen_where_they_are_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FPGA_SIM", "/bin/true")
    monkeypatch.setenv("EDGE_FPGA", "file:/nowhere/board")
    found = sections(inventory())
    assert found["backends"]["fpga-sim"] == "available (simulated accelerator, Verilated)"
    assert found["backends"]["fpga"].startswith("available (registers /nowhere/board")
    assert found["precisions"]["w1a2"] == "available (backend lowbit)"


@pytest.mark.usefixtures("no_camera")
def test_on_a_computer_without_a_board_each_way_to_it_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_FPGA")
    reason = sections(inventory())["backends"]["fpga"]
    if reason.startswith("available"):
        pytest.skip("this computer has an accelerator")
    assert re.fullmatch(r"no accelerator here \(uio: .+; devmem: .+\)", reason)


@pytest.mark.usefixtures("no_camera")
def test_backend_that_cannot_run_here_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_LOWBIT", "sse")
    found = sections(inventory())
    reason = "EDGE_LOWBIT=sse: expected auto, avx512, avx2, neon, plain, emulator; set one of these"
    assert found["backends"]["lowbit"] == found["precisions"]["w1a2"] == reason
    assert found["precisions"]["int8"] == "available (backend cpu)"
    monkeypatch.setenv("EDGE_LOWBIT", "emulator")
    assert sections(inventory())["backends"]["lowbit"] == "available (NumPy emulator)"


@pytest.mark.usefixtures("no_camera")
def test_program_file_without_its_image_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "expression_w1a2.json"
    (tmp_path / name).write_bytes((card.WEIGHTS / name).read_bytes())
    monkeypatch.setattr(card, "WEIGHTS", tmp_path)
    assert "expression_w1a2.bin cannot be read" in sections(inventory())["models"]["expression_w1a2"]


@pytest.mark.usefixtures("no_camera")
def test_missing_models_are_listed_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    models = sections(inventory())["models"]
    assert sorted(models) == card_names()
    for name in ("expression_float", "expression_int8", "expression_w1a2"):
        assert models[name].endswith("ready")
    for name in ("blazeface_short", "blazeface_full"):
        assert f"is not in {tmp_path} and could not be fetched" in models[name]
        assert "Apache-2.0" in models[name]
