# SPDX-License-Identifier: Apache-2.0
"""What the user chose: flags over file over defaults; kept in one JSON file that survives a crash."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from device.errors import AppError

VERSION = 1
TASKS = ("expression", "face", "flow", "pose", "identity")
PRECISIONS = ("float", "int8", "w1a2")
BACKENDS = ("auto", "cpu", "gpu", "lowbit", "fpga", "fpga-sim")
METHODS = ("net", "dis", "farneback", "lk")
TRACKERS = ("sort", "hybrid")
CAMERA_MOTIONS = ("none", "lk")
PACES = ("realtime", "max")
LANGUAGES = ("en", "ja")
VIEWS = ("eye", "high", "top")
ALLOWED = {
    "task": TASKS,
    "precision": PRECISIONS,
    "backend": BACKENDS,
    "method": METHODS,
    "tracker": TRACKERS,
    "camera_motion": CAMERA_MOTIONS,
    "pace": PACES,
    "lang": LANGUAGES,
    "view": VIEWS,
}


class ConfigError(AppError):
    """A setting that cannot be: names the file, the key, the value and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """Every choice of a user; the names are those of the flags."""

    source: str = "auto"
    task: str = "expression"
    precision: str = "float"
    backend: str = "auto"
    method: str = "net"  # of task flow; only "net" has a network, so precision and backend count for it alone
    tracker: str = "sort"  # of task pose; faces are always followed by SORT
    pace: Literal["realtime", "max"] = "realtime"
    lang: str = "en"
    mirror: bool = False
    kiosk: bool = False
    window_xywh: tuple[int, int, int, int] | None = None
    media_folder: str = ""  # where screenshots and recordings go; "" = the user's pictures folder
    camera_motion: str = "none"  # what tells the tracker of task expression how the camera moves
    steady: bool = False  # whether the picture shown, and recorded, is steadied
    detect_every: int = 1  # of task pose: so many frames from one search for people to the next
    rotate: float = 0.0  # degrees clockwise by which the picture is turned
    fisheye: str = ""  # focal length in widths of the picture, and the centre if it is not in the middle: "0.3,0.5,0.5"
    roi: str = ""  # the part of the picture that is used, in shares of it: left, top, width, height
    view: str = "eye"  # of task pose: from where the camera looks


def with_setting(settings: Settings, name: str, value: str) -> Settings:
    """Return `settings` with another value for `name`; raises ConfigError for one that is not allowed."""
    if value not in ALLOWED[name]:
        raise ConfigError(f"{name} is {value!r}, allowed are {', '.join(ALLOWED[name])}")
    changed: dict[str, Any] = {name: value}
    return dataclasses.replace(settings, **changed)


def default_path() -> Path:
    """Return the settings file: $XDG_CONFIG_HOME or ~/.config, edge-vision/settings.json."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "edge-vision" / "settings.json"


def load(path: Path) -> Settings:
    """Read `path` strictly: ConfigError says what is wrong with it (for --config FILE)."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the settings file {path}: {error.strerror}; give another --config") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a JSON file ({error}); correct it or give another --config") from error
    return parse(fields, path)


def parse(fields: Any, path: Path) -> Settings:
    """Return the settings in a JSON object, migrated to this version; unknown keys and values are refused."""
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}: expected a JSON object of settings, found {type(fields).__name__}")
    version = fields.pop("version", VERSION)
    if version != VERSION:
        raise ConfigError(
            f"{path}: settings of version {version} cannot be read, this program writes version {VERSION}"
        )
    known = {f.name: f for f in dataclasses.fields(Settings)}
    for key, value in fields.items():
        if key not in known:
            raise ConfigError(f"{path}: unknown setting {key!r}; known are {', '.join(known)}")
        if key in ALLOWED and value not in ALLOWED[key]:
            raise ConfigError(f"{path}: {key} is {value!r}, allowed are {', '.join(ALLOWED[key])}")
        _check_type(path, key, value)
    if fields.get("window_xywh") is not None:
        fields["window_xywh"] = tuple(fields["window_xywh"])
    return Settings(**fields)


def _check_type(path: Path, key: str, value: Any) -> None:
    if key == "window_xywh":
        good = value is None or (
            isinstance(value, list) and len(value) == 4 and all(type(v) is int and abs(v) < 100_000 for v in value)
        )
    else:
        kinds = (int, float) if key == "rotate" else (type(getattr(Settings(), key)),)
        good = type(value) in kinds and (key != "detect_every" or value >= 1)
    if not good:
        raise ConfigError(f"{path}: {key} is {value!r}, expected a value like {getattr(Settings(), key)!r}")


def load_or_default(path: Path) -> tuple[Settings, str | None]:
    """Return the user's settings, or the defaults and a sentence saying where the broken file went."""
    try:
        return load(path), None
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Settings(), None
        backup = path.with_suffix(".broken.json")
        try:
            path.replace(backup)
        except OSError:
            return Settings(), f"{error}; defaults are used."
        return Settings(), f"{error}; defaults are used, the file was kept as {backup}."


def save_changes(before: Settings, after: Settings, path: Path) -> None:
    """Write what the user changed between `before` and `after`; the rest of the file stays. Raises ConfigError.

    A flag holds for its run: `--kiosk` or `--source clip.mp4` once must not be how the program starts from then on.
    """
    names = [field.name for field in dataclasses.fields(Settings)]
    changed = {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}
    stored, _ = load_or_default(path)
    save(dataclasses.replace(stored, **changed), path)


def save(settings: Settings, path: Path) -> None:
    """Write `path` atomically: a crash or a full disk leaves the old file whole. Raises ConfigError."""
    text = json.dumps({"version": VERSION, **dataclasses.asdict(settings)}, indent=2) + "\n"
    try:
        write_whole(text, path)
    except OSError as error:
        raise ConfigError(f"cannot save the settings to {path}: {error.strerror}; they hold until you quit") from error


def write_whole(text: str, path: Path) -> None:
    """Write a file beside `path` and move it there: whatever happens, one of both is whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name) as beside:
        new = Path(beside) / path.name
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
