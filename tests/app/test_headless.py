# SPDX-License-Identifier: Apache-2.0
"""A run without a window: the zones it watches, and the lines at its end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.build import Networks
from app.cli import parse
from app.config import ConfigError
from app.headless import run_headless, summary
from app.motion.lines import Line
from app.motion.zone_file import save_zones
from app.motion.zones import Zone
from app.output.stats import Run, statistics
from app.runtime.pipeline import PipelineMeters


def said_of(**counted: object) -> list[str]:
    model = {"name": "net_w1a2", "sha256": "0" * 64, "ms_p50": 1.5, **counted}
    run = Run("toy.mp4", "expression", "fpga", "w1a2", 4.0, 0, [model])
    return [line for line in summary(statistics(run, PipelineMeters())).splitlines() if line.startswith("cycles")]


def test_cycles_are_said_only_where_a_device_counted_them() -> None:
    assert said_of() == []
    measured = "cycles     41,222 cycles = 0.27 ms (net_w1a2, the last run, ARM work excluded)"
    assert said_of(cycles=41_222, clock_hz=150_000_000, simulated=False) == [measured]
    simulated = (
        "cycles     simulated accelerator: 41,222 cycles = 0.41 ms at 100 MHz "
        "(net_w1a2, the last run, ARM work excluded)"
    )
    assert said_of(cycles=41_222, clock_hz=100_000_000, simulated=True) == [simulated]


def test_a_script_watches_zones_and_reads_what_moves(tmp_path: Path) -> None:
    """Two runs over the synthetic scene, whose faces move: the same bytes, with a begin for every end."""
    everywhere = Zone("all of it", Zone.rectangle(0.0, 0.0, 1.0, 1.0), speed=0.02, share=0.01)
    nowhere = replace(everywhere, name="too fast", speed=50.0)
    save_zones([everywhere, nowhere], tmp_path / "zones.json")
    flags = "--headless --source synthetic:1 --task flow --method dis --pace max --frames 30"
    for name in ("a", "b"):
        with Networks() as networks:
            words = [*flags.split(), "--zones", str(tmp_path / "zones.json"), "--events", str(tmp_path / name)]
            assert "motion" in run_headless(parse(words), networks, None)["stage_ms"]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    assert all(set(line["flow"]) == {"mean_uv", "max_px"} for line in lines)
    told = [found["event"] for line in lines for found in line["motion"]["zones"] if found["name"] == "all of it"]
    assert told[:1] == ["begin"]
    assert told == ["begin", "end"] * (len(told) // 2) + ["begin"] * (len(told) % 2)
    assert {found["name"] for line in lines for found in line["motion"]["zones"]} == {"all of it"}


def test_without_zones_the_lines_are_as_they_were(tmp_path: Path) -> None:
    flags = f"--headless --source synthetic:1 --task flow --method dis --pace max --frames 8 --events {tmp_path}/a"
    with Networks() as networks:
        run_headless(parse(flags.split()), networks, None)
    lines = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    assert [set(line) for line in lines] == [{"seq", "t_ns", "size", "tracks", "flow"}] * 8


def test_zones_that_cannot_be_read_end_the_run_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "zones.json").write_text('{"version": 1, "zones": [{"name": "door"}]}')
    flags = f"--headless --source nowhere.mp4 --task flow --method dis --zones {tmp_path}/zones.json"
    with Networks() as networks, pytest.raises(ConfigError, match=r"zones\.json, zone 1: corners is missing"):
        run_headless(parse(flags.split()), networks, None)


def test_a_script_counts_people_below_a_ceiling_camera(tmp_path: Path) -> None:
    """Two runs over the drawn room: the same bytes, and figures that agree with the events."""
    save_zones(
        [Line("door", ((0.5, 0.0), (0.5, 1.0))), Zone("room", Zone.rectangle(0, 0, 1, 1))], tmp_path / "zones.json"
    )
    flags = "--headless --source synthetic-top:3 --task pose --view top --pace max --frames 6 --detect-every 2"
    for name in ("a", "b"):
        words = ["--zones", str(tmp_path / "zones.json"), "--events", str(tmp_path / name)]
        with Networks() as networks:
            figures = run_headless(parse([*flags.split(), *words]), networks, None)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    told = [found["event"] for line in lines for found in line["counting"]["events"] if found["name"] == "room"]
    door, room = figures["counting"]
    assert told.count("appear") == room["appeared"] > 0
    assert room["inside"] == len(lines[-1]["counting"]["counts"][1]["inside"])
    assert room["entries"] + room["appeared"] - room["exits"] - room["vanished"] == room["inside"]
    assert (door["name"], set(door)) == ("door", {"name", "entries", "exits"})
