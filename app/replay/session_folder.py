# SPDX-License-Identifier: Apache-2.0
"""The folder of a recorded session: `session.json` says what ran, `frames.bin` holds a record for each frame.

A record is "EVFR", the length of its header (uint32, little endian), the header as JSON, and the frame as a PNG of
`n_bytes`, or nothing where the frame can be had again from its source. A file that was cut holds whole records up to
the cut.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.config import write_whole
from device.errors import AppError

SCHEMA = 1
DESCRIPTION, FRAMES = "session.json", "frames.bin"
MAGIC = b"EVFR"
LENGTH = struct.Struct("<I")
LARGEST_HEADER = 1 << 24
SOURCE_KINDS = ("frames", "source")


class ReplayError(AppError):
    """A session that cannot be read, or that gives other results now."""


@dataclass(frozen=True)
class Description:
    """What ran. `source_kind`: "frames" are stored, or come from the "source" again (a seed, a file and its hash)."""

    version: str
    settings: dict[str, Any]
    source: str
    source_kind: str
    source_sha256: str | None
    machine: dict[str, str]
    models: list[dict[str, str]]  # name, sha256
    n_frames: int | None = None  # None = it was cut short

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all; raises OSError."""
        fields = {"schema": SCHEMA, **self.__dict__}
        write_whole(json.dumps(fields, indent=2) + "\n", folder / DESCRIPTION)


def load_description(folder: Path) -> Description:
    """Read what ran; raises ReplayError."""
    path = folder / DESCRIPTION
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReplayError(f"{folder} is no recorded session: cannot read {path.name} ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"{path} is not a JSON file ({error}); restore it or record the session anew") from error
    schema = fields.pop("schema", None) if isinstance(fields, dict) else None
    if schema != SCHEMA:
        raise ReplayError(
            f"{path}: a session of schema {schema!r} cannot be run, this program reads schema {SCHEMA}; "
            "use the version of the program that recorded it"
        )
    names = set(Description.__dataclass_fields__)
    if set(fields) != names or fields["source_kind"] not in SOURCE_KINDS or not isinstance(fields["settings"], dict):
        wrong = ", ".join(sorted(names ^ set(fields))) or "a value"
        raise ReplayError(f"{path}: expected the fields {', '.join(sorted(names))}, wrong is {wrong}; restore the file")
    return Description(**fields)


def packed(header: dict[str, Any], png: bytes) -> bytes:
    """Return the record of a frame."""
    text = json.dumps({**header, "n_bytes": len(png)}, separators=(",", ":")).encode()
    return MAGIC + LENGTH.pack(len(text)) + text + png


def read_records(folder: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield header and PNG of each frame, up to the end or to where the file was cut; raises ReplayError."""
    path = folder / FRAMES
    try:
        with path.open("rb") as file:
            for number in range(1 << 62):
                record = _read_record(file, f"{path}, record {number}")
                if record is None:
                    return
                yield record
    except OSError as error:
        raise ReplayError(
            f"cannot read {path}: {error.strerror}; restore the file or record the session anew"
        ) from error


def _read_record(file: BinaryIO, where: str) -> tuple[dict[str, Any], bytes] | None:
    start = file.read(len(MAGIC) + LENGTH.size)
    if len(start) < len(MAGIC) + LENGTH.size:
        return None
    (length,) = LENGTH.unpack(start[len(MAGIC) :])
    if not start.startswith(MAGIC) or length > LARGEST_HEADER:
        raise ReplayError(
            f"{where}: expected the start of a frame, found other bytes; the file was altered, restore it"
        )
    text = file.read(length)
    if len(text) < length:
        return None
    try:
        header = json.loads(text)
        n_bytes = int(header["n_bytes"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReplayError(f"{where}: its header cannot be read; the file was altered, restore it") from error
    png = file.read(n_bytes)
    return None if len(png) < n_bytes else (header, png)
