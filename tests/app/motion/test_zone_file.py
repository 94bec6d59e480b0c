# SPDX-License-Identifier: Apache-2.0
"""The file of zones: what is written is read again, what is wrong is named, and nothing of the user's is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import ConfigError
from app.motion.lines import Line
from app.motion.zone_file import load_zones, load_zones_or_none, parse_zones, save_zones
from app.motion.zones import Zone

DOOR = Zone("door", Zone.rectangle(0.1, 0.2, 0.3, 0.9), 180.0, 30.0, 0.1, 0.2, 0.5, 0.1, 0.4)
STAIRS = Zone("階段", ((0.5, 0.5), (0.9, 0.5), (0.7, 1.0)))


def test_zones_come_back_as_they_were(tmp_path: Path) -> None:
    save_zones([DOOR, STAIRS], tmp_path / "new/zones.json")
    assert load_zones(tmp_path / "new/zones.json") == (DOOR, STAIRS)
    save_zones([], tmp_path / "new/zones.json")
    assert load_zones(tmp_path / "new/zones.json") == ()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["zones.json"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["version", "zones", "name", "corners", "speed"]), x),
    )
)
def test_any_json_is_read_or_refused_in_a_sentence(fields: object) -> None:
    if fields in [{"version": 1, "zones": []}, {"version": 2, "zones": []}]:
        assert parse_zones(fields, Path("zones.json")) == ()
    else:  # a zone by chance would need a name and three good corners
        with pytest.raises(ConfigError, match=r"^zones\.json"):
            parse_zones(fields, Path("zones.json"))


def row(**change: object) -> dict[str, object]:
    return {"name": "a", "corners": [[0, 0], [1, 0], [1, 1]], **change}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([], "expected"),
        ({"version": 1}, "expected"),
        ({"version": 1, "zones": [], "colour": 3}, "and no more"),
        ({"version": 3, "zones": []}, "version 3 cannot be read"),
        ({"version": 0, "zones": []}, "version 0 cannot be read"),
        ({"version": 1, "zones": [{"name": "a", "ends": [[0, 0], [1, 1]]}]}, "zone 1: unknown key 'ends'"),
        ({"version": 2, "zones": [{"name": "a", "ends": [[0, 0]]}]}, "zone 1: ends is .*, expected two"),
        ({"version": 2, "zones": [{"name": "a", "ends": [[0, 0], [0, 0]]}]}, "zone 1: line 'a': ends is .*differ"),
        ({"version": 2, "zones": [{"name": "a", "ends": [[0, 0], [0, 2]]}]}, "zone 1: line 'a': ends is .*shares"),
        ({"version": 2, "zones": [{"name": "a", "ends": [[0, 0], [0, 1]], "speed": 1}]}, "unknown key 'speed'"),
        ({"version": 2, "zones": [{"ends": [[0, 0], [0, 1]]}]}, "zone 1: name is missing"),
        ({"version": 2, "zones": [row(), {"name": "a", "ends": [[0, 0], [0, 1]]}]}, "two zones are called 'a'"),
        ({"version": True, "zones": []}, "version True cannot be read"),
        ({"version": 1, "zones": [3]}, "zone 1: expected a JSON object, found int"),
        ({"version": 1, "zones": [{"name": "a"}]}, "zone 1: corners is missing"),
        ({"version": 1, "zones": [row(colour=3)]}, "zone 1: unknown key 'colour'; known are name, corners"),
        ({"version": 1, "zones": [row(name=3)]}, "zone 1: name is 3, expected a text"),
        ({"version": 1, "zones": [row(speed="fast")]}, "zone 1: speed is 'fast', expected a number"),
        ({"version": 1, "zones": [row(speed=True)]}, "zone 1: speed is True, expected a number"),
        ({"version": 1, "zones": [row(corners=[[0, 0, 0]])]}, "zone 1: corners is .*, expected a list of"),
        ({"version": 1, "zones": [row(), row(share=7)]}, "zone 2: zone 'a': share is 7"),
        ({"version": 1, "zones": [row(), row()]}, "two zones are called 'a'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, fields: object, wanted: str) -> None:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(ConfigError, match=rf"zones\.json.*{wanted}"):
        load_zones(path)


def test_lines_and_zones_come_back_in_the_order_drawn(tmp_path: Path) -> None:
    gate = Line("gate", ((0.25, 0.5), (0.75, 0.5)))
    save_zones([DOOR, gate, STAIRS], tmp_path / "zones.json")
    assert load_zones(tmp_path / "zones.json") == (DOOR, gate, STAIRS)
    assert json.loads((tmp_path / "zones.json").read_text())["version"] == 2


def test_a_file_of_version_1_is_read_and_becomes_one_of_version_2(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps({"version": 1, "zones": [row(speed=0.5)]}))
    zones = load_zones(path)
    assert zones == (Zone("a", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), speed=0.5),)
    save_zones(zones, path)
    assert json.loads(path.read_text())["version"] == 2
    assert load_zones(path) == zones


def test_no_file_is_no_zone(tmp_path: Path) -> None:
    assert load_zones_or_none(tmp_path / "zones.json") == ((), None)


def test_broken_files_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    for text, name in (("{", "zones.broken.json"), ("[", "zones.broken-2.json")):
        path.write_text(text)
        zones, sentence = load_zones_or_none(path)
        assert zones == ()
        assert sentence is not None
        assert name in sentence
        assert (tmp_path / name).read_text() == text
        assert not path.exists()


def test_a_crash_while_saving_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "zones.json"
    save_zones([DOOR], path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        save_zones([STAIRS], path)
    assert load_zones(path) == (DOOR,)
    assert [name.name for name in tmp_path.iterdir()] == ["zones.json"]


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    save_zones([DOOR], path)
    with pytest.raises(ConfigError, match="two zones are called 'door'"):
        save_zones([DOOR, DOOR], path)
    assert load_zones(path) == (DOOR,)
