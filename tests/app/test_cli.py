# SPDX-License-Identifier: Apache-2.0
"""The command line: flags over file over defaults, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app import cli, config
from app.config import ConfigError, Settings, save

STORED = Settings(task="pose", precision="int8", backend="cpu", lang="ja", mirror=True, media_folder="films")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the user a settings file of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    save(STORED, config.default_path())
    return config.default_path()


def test_file_over_defaults(own_settings: Path) -> None:
    command = cli.parse([])
    assert command.settings == STORED
    assert command.settings_path == own_settings
    assert command.notice is None


def test_flags_over_file() -> None:
    command = cli.parse(["--precision", "float", "--lang", "en", "--kiosk", "--source", "camera:2"])
    expected = dataclasses.replace(STORED, precision="float", lang="en", kiosk=True, source="camera:2")
    assert command.settings == expected


def test_every_setting_with_a_flag_can_be_given() -> None:
    flags = {"source": "demo", "task": "pose", "precision": "w1a2", "backend": "gpu", "method": "lk"}
    flags |= {"tracker": "hybrid", "pace": "max", "lang": "en", "camera-motion": "lk"}
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    given = cli.parse(["--kiosk", "--steady", *words]).settings
    expected = Settings(
        "demo", "pose", "w1a2", "gpu", "lk", "hybrid", "max", "en", True, True, None, "films", "lk", True
    )
    assert given == expected


def test_defaults_without_a_file(own_settings: Path) -> None:
    own_settings.unlink()
    command = cli.parse([])
    assert command.settings == Settings()
    assert (command.is_headless, command.is_list, command.verbose) == (False, False, False)
    assert (command.frames, command.record, command.events, command.stats, command.compare) == (None,) * 5
    assert command.zones is None


def test_headless_ignores_what_was_clicked_in_a_window() -> None:
    assert cli.parse(["--headless"]).settings == Settings()
    assert cli.parse(["--headless", "--precision", "int8"]).settings == Settings(precision="int8")


def test_headless_leaves_a_broken_file_alone(own_settings: Path) -> None:
    own_settings.write_text("{")
    assert cli.parse(["--headless"]).notice is None
    assert own_settings.read_text() == "{"


def test_config_holds_for_headless_too(tmp_path: Path) -> None:
    save(Settings(precision="int8"), tmp_path / "own.json")
    command = cli.parse(["--headless", "--config", str(tmp_path / "own.json"), "--pace", "max"])
    assert command.settings == Settings(precision="int8", pace="max")
    assert command.settings_path == tmp_path / "own.json"


def test_broken_file_of_the_user_is_a_notice(own_settings: Path) -> None:
    own_settings.write_text("{")
    command = cli.parse(["--task", "flow"])
    assert command.settings == Settings(task="flow")
    assert command.notice is not None
    assert "defaults are used" in command.notice


def test_broken_file_that_was_named_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"precision": "int4"}')
    with pytest.raises(ConfigError, match=r"own\.json: precision is 'int4', allowed are float, int8, w1a2"):
        cli.parse(["--config", str(tmp_path / "own.json")])
    with pytest.raises(ConfigError, match=r"cannot read the settings file .*nowhere\.json"):
        cli.parse(["--config", str(tmp_path / "nowhere.json")])


def test_outputs_are_paths() -> None:
    outputs = ["--record", "a/b.mp4", "--events", "c.jsonl", "--stats", "d.json"]
    command = cli.parse(["--frames", "5", *outputs, "--list", "--verbose"])
    assert (command.record, command.events, command.stats) == (Path("a/b.mp4"), Path("c.jsonl"), Path("d.json"))
    assert (command.frames, command.is_list, command.verbose) == (5, True, True)


def test_zones_are_for_a_window_or_for_task_flow(tmp_path: Path) -> None:
    assert cli.parse(["--zones", "a.json", "--task", "expression"]).zones == Path("a.json")  # a window has other tasks
    assert cli.parse(["--headless", "--task", "flow", "--zones", "a.json"]).zones == Path("a.json")
    with pytest.raises(ConfigError, match=r"--zones a\.json: task expression watches no zones; add --task flow or"):
        cli.parse(["--headless", "--zones", "a.json"])


def test_no_output_is_written_over_the_zones() -> None:
    for flag in ("--events", "--record", "--stats"):
        with pytest.raises(ConfigError, match=rf"{flag} a\.json would overwrite the file of --zones"):
            cli.parse(["--zones", "a.json", flag, "./a.json"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "magic"], "argument --task: invalid choice: 'magic'"),
        (["--precision", "int4"], "argument --precision: invalid choice: 'int4'"),
        (["--backend", "tpu"], "argument --backend: invalid choice: 'tpu'"),
        (["--method", "best"], "argument --method: invalid choice: 'best'"),
        (["--camera-motion", "gyro"], "argument --camera-motion: invalid choice: 'gyro'"),
        (["--zones"], "argument --zones: expected one argument"),
        (["--tracker", "none"], "argument --tracker: invalid choice"),
        (["--pace", "slow"], "argument --pace: invalid choice"),
        (["--lang", "de"], "argument --lang: invalid choice"),
        (["--frames", "0"], "expected a whole number of at least 1, got 0"),
        (["--frames", "-3"], "expected a whole number of at least 1, got -3"),
        (["--frames", "many"], "argument --frames: invalid"),
        (["--frames", "1.5"], "argument --frames: invalid"),
        (["--frames"], "expected one argument"),
        (["--unknown"], "unrecognized arguments: --unknown"),
        (["film.mp4"], "unrecognized arguments: film.mp4"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parse(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_help_names_every_flag_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parse(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    contract = "source task precision backend method tracker headless frames pace record events stats"
    for name in [*contract.split(), "compare", "kiosk", "lang", "config", "list", "zones", "steady", "camera-motion"]:
        assert f"--{name}" in shown
