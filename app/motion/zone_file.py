# SPDX-License-Identifier: Apache-2.0
"""The user's zones and lines, kept in one JSON file that survives a crash and is never thrown away.

A row with `corners` is a zone, one with `ends` a line. Version 1 had zones only; a file of it is read as it is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from app.config import ConfigError, write_whole
from app.motion.lines import Line, Mark
from app.motion.zones import Zone, ZoneError

VERSION = 2
FILE_NAME = "zones.json"
"""Beside the settings: `app.config.default_path().with_name(FILE_NAME)`."""
WANTED = {
    "name": "a text",
    "corners": "a list of [x, y]",
    "ends": "two [x, y]",
    "direction": "degrees or null",
}
"""What is not a plain number."""


@dataclass(frozen=True)
class KeptZones:
    """Zones and lines, and the file that keeps them; None = they hold until the program ends."""

    zones: tuple[Mark, ...] = ()
    path: Path | None = None


def load_zones(path: Path) -> tuple[Mark, ...]:
    """Read `path` strictly: ConfigError says what is wrong with it."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the zones {path}: {error.strerror}; give another file") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a JSON file of zones ({error}); correct it or remove it") from error
    return parse_zones(fields, path)


def parse_zones(fields: Any, path: Path) -> tuple[Mark, ...]:
    """Return the zones and lines in a JSON object {"version", "zones"}; unknown keys and values are refused."""
    if not isinstance(fields, dict) or set(fields) != {"version", "zones"} or not isinstance(fields["zones"], list):
        raise ConfigError(f'{path}: expected {{"version": {VERSION}, "zones": [...]}} and no more; correct it')
    version = fields["version"]
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ConfigError(f"{path}: zones of version {version!r} cannot be read, this program writes version {VERSION}")
    return _marks(fields["zones"], _mark if version > 1 else _zone, str(path))


def parse_mark_rows(rows: Any, where: str) -> tuple[Mark, ...]:
    """Return the zones and lines that `mark_rows` gave; raises ConfigError."""
    if not isinstance(rows, list):
        raise ConfigError(f"{where}: expected a list of zones and lines, found {type(rows).__name__}; correct it")
    return _marks(rows, _mark, where)


def mark_rows(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """Return zones and lines as JSON has them."""
    rows: list[dict[str, Any]] = json.loads(json.dumps([dataclasses.asdict(mark) for mark in marks], allow_nan=False))
    return rows


def _marks(rows: list[Any], read: Callable[[Any, str], Mark], where: str) -> tuple[Mark, ...]:
    zones = tuple(read(row, f"{where}, zone {number}") for number, row in enumerate(rows, start=1))
    names = [zone.name for zone in zones]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: two zones are called {name!r}, expected different names; rename one of them")
    return zones


def _mark(row: Any, where: str) -> Mark:
    if not isinstance(row, dict) or "ends" not in row:
        return _zone(row, where)
    _expect_keys(row, where, Line, ("name", "ends"))
    start, end = ((float(x), float(y)) for x, y in row["ends"])
    try:
        return Line(row["name"], (start, end))
    except ZoneError as error:
        raise ConfigError(f"{where}: {error}") from error


def _expect_keys(row: dict[str, Any], where: str, kind: type[Mark], needed: tuple[str, ...]) -> None:
    """Raise ConfigError where a row has keys or types that `kind` has not, or lacks some."""
    known = {field.name: field for field in dataclasses.fields(kind)}
    for key, value in row.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}; known are {', '.join(known)}")
        if not _has_type(key, value):
            raise ConfigError(f"{where}: {key} is {value!r}, expected {WANTED.get(key, 'a number')}; correct it")
    for key in needed:
        if key not in row:
            raise ConfigError(f"{where}: {key} is missing, expected {WANTED[key]}; add it")


def _zone(row: Any, where: str) -> Zone:
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: expected a JSON object, found {type(row).__name__}; correct it")
    _expect_keys(row, where, Zone, ("name", "corners"))
    numbers = {key: float(value) for key, value in row.items() if key not in WANTED}
    direction = row.get("direction")
    corners = tuple((float(x), float(y)) for x, y in row["corners"])
    try:
        return Zone(row["name"], corners, None if direction is None else float(direction), **numbers)
    except ZoneError as error:
        raise ConfigError(f"{where}: {error}") from error


def _has_type(key: str, value: Any) -> bool:
    if key == "name":
        return isinstance(value, str)
    if key == "ends" and (not isinstance(value, list) or len(value) != 2):
        return False
    if key in ("corners", "ends"):
        is_list = isinstance(value, list) and all(isinstance(corner, list) and len(corner) == 2 for corner in value)
        return is_list and all(_is_number(at) for corner in value for at in corner)
    return _is_number(value) or (key == "direction" and value is None)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def load_zones_or_none(path: Path) -> tuple[tuple[Mark, ...], str | None]:
    """Return the user's zones, or no zone and a sentence saying where the broken file went."""
    try:
        return load_zones(path), None
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return (), None
        kept = _free_name(path)
        try:
            path.rename(kept)
        except OSError:
            return (), f"{error}; there are no zones now."
        return (), f"{error}; there are no zones now, the file was kept as {kept}."


def _free_name(path: Path) -> Path:
    """Return a name beside `path` that nothing has: an earlier broken file is the user's, too."""
    names = (path.with_suffix(f".broken{'' if number == 1 else f'-{number}'}.json") for number in count(1))
    return next(name for name in names if not name.exists())


def save_zones(zones: Sequence[Mark], path: Path) -> None:
    """Write `path` atomically: a crash or a full disk leaves the old file whole. Raises ConfigError."""
    fields = {"version": VERSION, "zones": mark_rows(zones)}
    text = json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    parse_zones(json.loads(text), path)  # what could not be read again is not written
    try:
        write_whole(text, path)
    except OSError as error:
        raise ConfigError(f"cannot save the zones to {path}: {error.strerror}; they hold until you quit") from error
