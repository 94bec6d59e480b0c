# SPDX-License-Identifier: Apache-2.0
"""The settings file: strict when read, whole when written, never in the user's way when broken."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app import config
from app.config import ALLOWED, ConfigError, Settings, load, load_or_default, save, save_changes

CHANGED = Settings(
    "camera:1",
    "pose",
    "int8",
    "cpu",
    "lk",
    "hybrid",
    "max",
    "ja",
    True,
    True,
    (1, -2, 300, 400),
    "films",
    "lk",
    True,
    3,
    90.5,
    "0.3,0.5,0.5",
    "0,0,0.5,1",
    "top",
)
NUMBERS = st.integers(-99_999, 99_999)
ANY_SETTINGS = st.builds(
    Settings,
    source=st.text(),
    mirror=st.booleans(),
    kiosk=st.booleans(),
    window_xywh=st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    media_folder=st.text(),
    detect_every=st.integers(1, 1000),
    **{key: st.sampled_from(values) for key, values in ALLOWED.items()},
)


def write(path: Path, **fields: Any) -> Path:
    path.write_text(json.dumps(fields))
    return path


def test_every_setting_differs_from_its_default_here() -> None:
    """The round trip below then proves that each one is written and read."""
    for field in dataclasses.fields(Settings):
        assert getattr(CHANGED, field.name) != getattr(Settings(), field.name), field.name


def test_round_trip(tmp_path: Path) -> None:
    save(CHANGED, tmp_path / "deep/er/settings.json")
    assert load(tmp_path / "deep/er/settings.json") == CHANGED
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["settings.json"]


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=ANY_SETTINGS)
def test_round_trip_of_any_settings(tmp_path: Path, chosen: Settings) -> None:
    save(chosen, tmp_path / "settings.json")
    assert load(tmp_path / "settings.json") == chosen


def test_missing_settings_are_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path / "settings.json", precision="int8")
    assert load(path) == dataclasses.replace(Settings(), precision="int8")


def test_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    """What 0.1.0 wrote, before there was a low-bit network."""
    text = """{"version": 1, "source": "auto", "task": "expression", "precision": "int8", "backend": "auto",
    "tracker": "sort", "pace": "realtime", "lang": "ja", "mirror": true, "kiosk": false,
    "window_xywh": [10, 20, 960, 760], "media_folder": ""}"""
    (tmp_path / "settings.json").write_text(text)
    expected = Settings(precision="int8", lang="ja", mirror=True, window_xywh=(10, 20, 960, 760))
    assert load(tmp_path / "settings.json") == expected


@pytest.mark.parametrize("call", ["replace", "mkdir"])
def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "settings.json"
    save(CHANGED, path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, call, full)
    with pytest.raises(ConfigError, match=f"cannot save the settings to {path}: No space left on device"):
        save(Settings(), path)
    monkeypatch.undo()
    assert load(path) == CHANGED
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.json"
    save(CHANGED, path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device; they hold until you quit"):
        save(Settings(), path)
    assert load(path) == CHANGED
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"colour": "red"}, r"unknown setting 'colour'; known are source, task, precision"),
        ({"precision": "int4"}, r"precision is 'int4', allowed are float, int8, w1a2"),
        ({"backend": ["cpu"]}, r"backend is \['cpu'\], allowed are auto, cpu"),
        ({"method": "best"}, r"method is 'best', allowed are net, dis, farneback, lk"),
        ({"lang": None}, r"lang is None, allowed are en, ja"),
        ({"source": 3}, r"source is 3, expected a value like 'auto'"),
        ({"mirror": 1}, r"mirror is 1, expected a value like False"),
        ({"kiosk": "yes"}, r"kiosk is 'yes', expected a value like False"),
        ({"window_xywh": [1, 2, 3]}, r"window_xywh is \[1, 2, 3\]"),
        ({"window_xywh": [1, 2, 3, 4.5]}, r"window_xywh is \[1, 2, 3, 4\.5\]"),
        ({"window_xywh": [1, 2, 3, 10**9]}, r"window_xywh is \[1, 2, 3, 1000000000\]"),
        ({"window_xywh": "full"}, r"window_xywh is 'full'"),
        ({"version": 2}, r"settings of version 2 cannot be read, this program writes version 1"),
        ({"version": None}, r"settings of version None cannot be read"),
    ],
)
def test_wrong_setting_is_named(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "settings.json", **fields)
    with pytest.raises(ConfigError, match=rf"^{path}: {message}"):
        load(path)


BROKEN = {
    "empty": b"",
    "half": b'{"task": "expr',
    "list": b"[]",
    "number": b"7",
    "not utf-8": b'{"source": "\xff\xfe"}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN)
def test_broken_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_bytes(BROKEN[content])
    with pytest.raises(ConfigError, match=str(tmp_path / "settings.json")):
        load(tmp_path / "settings.json")


@pytest.mark.parametrize("content", BROKEN)
def test_broken_file_is_kept_aside_and_defaults_hold(tmp_path: Path, content: str) -> None:
    path, backup = tmp_path / "settings.json", tmp_path / "settings.broken.json"
    path.write_bytes(BROKEN[content])
    settings, notice = load_or_default(path)
    assert settings == Settings()
    assert notice is not None
    assert notice.endswith(f"defaults are used, the file was kept as {backup}.")
    assert backup.read_bytes() == BROKEN[content]
    assert load_or_default(path) == (Settings(), None)


def test_file_that_cannot_be_kept_aside_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "settings.json", task="nothing")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    settings, notice = load_or_default(path)
    assert settings == Settings()
    assert notice == f"{path}: task is 'nothing', allowed are {', '.join(config.TASKS)}; defaults are used."


@pytest.mark.parametrize("path", ["/dev/null/settings.json", "/" + "long" * 100])
def test_place_that_cannot_be_read_is_told(path: str) -> None:
    settings, notice = load_or_default(Path(path))
    assert settings == Settings()
    assert notice is not None
    assert notice.startswith(f"cannot read the settings file {path}: ")
    assert notice.endswith("defaults are used.")


def test_no_file_is_no_notice(tmp_path: Path) -> None:
    assert load_or_default(tmp_path / "deep/settings.json") == (Settings(), None)
    with pytest.raises(ConfigError, match=r"No such file or directory; give another --config"):
        load(tmp_path / "deep/settings.json")


def test_settings_stay_where_the_user_keeps_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/a/b")
    assert config.default_path() == Path("/a/b/edge-vision/settings.json")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config.default_path() == Path.home() / ".config/edge-vision/settings.json"


def test_a_flag_holds_for_its_run_and_a_choice_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    save(Settings(mirror=True), path)
    started = dataclasses.replace(load(path), kiosk=True, source="clip.mp4", pace="max")
    save_changes(started, dataclasses.replace(started, precision="int8"), path)
    assert load(path) == Settings(mirror=True, precision="int8")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_frames_between_two_searches_are_a_whole_number_above_0(tmp_path: Path, value: object) -> None:
    with pytest.raises(ConfigError, match=r"detect_every is .*, expected a value like 1"):
        load(write(tmp_path / "settings.json", detect_every=value))


def test_a_turn_may_be_a_whole_number(tmp_path: Path) -> None:
    assert load(write(tmp_path / "settings.json", rotate=90)).rotate == 90
    with pytest.raises(ConfigError, match=r"rotate is '90', expected a value like 0.0"):
        load(write(tmp_path / "settings.json", rotate="90"))
    with pytest.raises(ConfigError, match=r"view is 'side', allowed are eye, high, top"):
        load(write(tmp_path / "settings.json", view="side"))
