# SPDX-License-Identifier: Apache-2.0
"""What `--list` prints, with and without the fetched files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app import build
from app.config import BACKENDS, PRECISIONS, TASKS
from app.inventory import inventory
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
    monkeypatch.setattr(build, "list_cameras", list)


@pytest.mark.usefixtures("no_camera")
def test_every_choice_is_listed_with_its_reason() -> None:
    found = sections(inventory())
    assert list(found) == ["sources", "tasks", "backends", "precisions (backend cpu)", "models"]
    assert found["sources"]["camera:N"].startswith("no camera found here")
    assert {"demo", "synthetic"} <= set(found["sources"])
    assert tuple(found["tasks"]) == TASKS
    assert tuple(found["backends"]) == BACKENDS
    assert tuple(found["precisions (backend cpu)"]) == PRECISIONS
    available = {name for part in found.values() for name, reason in part.items() if reason == "available"}
    assert available == {"expression", "auto", "cpu", "float", "int8"}
    for name in ("face", "flow", "pose", "identity"):
        assert found["tasks"][name] == f"task {name} is not part of this version"
    assert found["backends"]["fpga"].startswith("backend fpga is not part of this version")
    assert found["precisions (backend cpu)"]["w1a2"].startswith("there is no w1a2 expression network")


@pytest.mark.usefixtures("no_camera")
def test_missing_models_are_listed_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    models = sections(inventory())["models"]
    assert sorted(models) == card_names()
    for name in ("expression_float", "expression_int8"):
        assert models[name].endswith("ready")
    for name in ("blazeface_short", "blazeface_full"):
        assert f"is not in {tmp_path} and could not be fetched" in models[name]
        assert "Apache-2.0" in models[name]
