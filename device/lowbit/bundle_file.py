# SPDX-License-Identifier: Apache-2.0
"""The two files of a bundle: NAME.json, which a person reads, and NAME.bin, the image (specification, section 5)."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from device.lowbit.program import MAX_ARENA_BYTES, Bundle, BundleError, Port, Program, Ring, check_bundle

T = TypeVar("T")
MAX_JSON_BYTES = 16 * 2**20
"""Above any bundle we can imagine: a wrong file is refused before it is parsed."""


def save_bundle(bundle: Bundle, path: Path) -> None:
    """Write `path` (NAME.json) and its image NAME.bin beside it; checks the bundle first. Raises BundleError.

    Whatever happens on the way, `path` describes a complete image that is there: all is written beside the old files
    first, then `path` goes by way of an image of another name. One process may write a bundle at a time.
    """
    check_bundle(bundle)
    image, content = image_path(path), bundle.image.tobytes()
    passing = image.with_name(f"{image.stem}.{bundle.sha256[:12]}.bin")
    steps = [(content, passing), (describe(bundle, passing), path), (content, image), (describe(bundle, image), path)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
            files = [write_whole(Path(folder) / str(i), written) for i, (written, _) in enumerate(steps)]
            for file, (_, place) in zip(files, steps, strict=True):
                file.replace(place)
        passing.unlink()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written ({error.strerror}); no file was left half-written, choose another place"
        ) from error


def image_path(path: Path) -> Path:
    """Return where the image of the description `path` goes; raises BundleError for a name that leaves no place."""
    image = path.with_suffix(".bin") if path.name else path
    if image == path:
        raise BundleError(f"{path}: expected the name of a file, and not one in .bin, which is the image's own")
    return image


def write_whole(path: Path, content: bytes) -> Path:
    """Write a new file through to the disk; return its path."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return path


def describe(bundle: Bundle, image: Path) -> bytes:
    """Return the JSON text of a bundle whose image is in the file `image` beside it."""
    described = {
        "format": bundle.format,
        "image": image.name,
        "sha256": bundle.sha256,
        "arena_bytes": bundle.arena_bytes,
        "ring": {"offset": bundle.ring.offset, "log2": bundle.ring.log2, "records": bundle.ring.records},
        "programs": {name: described_program(program) for name, program in bundle.programs.items()},
    }
    return (json.dumps(described, indent=1) + "\n").encode()


def described_program(program: Program) -> dict[str, Any]:
    return {
        "descriptors": [program.offset, program.n_descriptors],
        "inputs": [{**described_port(port), "digits": port.digits} for port in program.inputs],
        "outputs": [
            {**described_port(port), "raw": port.raw, "scale": list(port.scale), "bias": list(port.bias)}
            for port in program.outputs
        ],
        "macs": program.macs,
        "model_cycles": program.model_cycles,
    }


def described_port(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "shape": list(port.shape),
        "offset": port.offset,
        "slots": port.slots,
        "slot_pitch": port.slot_pitch,
        "uses": [list(use) for use in port.uses],
        **({"copies": port.copies} if port.copies > 1 else {}),
    }


def load_bundle(path: Path, window_bytes: int | None = None) -> Bundle:
    """Return the checked bundle of `path` (NAME.json); raises BundleError with the file and what is wrong in it."""
    reader = Reader(path, parse(path))
    ring = Reader(path, reader.take("ring", dict))
    name = reader.take("image", str)
    if not name or Path(name).name != name:
        raise BundleError(f"{path}: image must be the name of a file beside it, got {name!r}")
    arena_bytes = reader.count("arena_bytes")
    bundle = Bundle(
        image=read_image(path.with_name(name), min(arena_bytes, MAX_ARENA_BYTES)),
        sha256=reader.take("sha256", str),
        arena_bytes=arena_bytes,
        ring=Ring(ring.count("offset"), ring.count("log2"), ring.count("records")),
        programs={key: read_program(path, key, value) for key, value in reader.take("programs", dict).items()},
    )
    try:
        check_bundle(bundle, window_bytes)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
    return bundle


def parse(path: Path) -> dict[str, Any]:
    """Return the JSON object; the format comes first, so that a newer file gets a clear answer."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise BundleError(f"{path}: {path.stat().st_size} bytes, a bundle description has at most {MAX_JSON_BYTES}")
        described = json.loads(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not a bundle description ({error})") from error
    if not isinstance(described, dict):
        raise BundleError(f"{path} is not a bundle description (expected an object)")
    if described.get("format") != 1:
        raise BundleError(f"{path}: expected format 1, got {described.get('format')!r}")
    return described


def read_image(path: Path, most_bytes: int) -> NDArray[np.uint8]:
    """Return the bytes of the image, refused before reading when they do not fit the arena."""
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise BundleError(f"{path}: {size} bytes do not fit into {most_bytes} bytes of arena")
        return np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror})") from error


class Reader:
    """Takes values of stated kinds out of a JSON object; what is missing or of another kind is a BundleError."""

    def __init__(self, path: Path, found: dict[str, Any], place: str = "") -> None:
        self._path, self._found, self._place = path, found, place

    def take(self, key: str, kind: type[T]) -> T:
        value = self._found.get(key)
        if type(value) is not kind:  # not isinstance: True is no number here
            raise self.refuse(key, kind.__name__)
        return value

    def count(self, key: str, absent: int | None = None) -> int:
        """Return a number of 0 or more, `absent` where there is none and that is allowed."""
        if absent is not None and key not in self._found:
            return absent
        value = self.take(key, int)
        if value < 0:
            raise self.refuse(key, "0 or more")
        return value

    def counts(self, key: str, size: int) -> tuple[int, ...]:
        """Return `size` numbers of 0 or more."""
        values = self.take(key, list)
        if len(values) != size or any(type(value) is not int or value < 0 for value in values):
            raise self.refuse(key, f"{size} numbers of 0 or more")
        return tuple(values)

    def floats(self, key: str) -> tuple[float, ...]:
        values = self.take(key, list)
        if any(type(value) not in (int, float) or not math.isfinite(value) for value in values):
            raise self.refuse(key, "finite numbers")
        return tuple(float(value) for value in values)

    def pairs(self, key: str) -> tuple[tuple[int, int], ...]:
        values = self.take(key, list)
        for pair in values:
            if type(pair) is not list or len(pair) != 2 or any(type(value) is not int for value in pair):
                raise self.refuse(key, "pairs of numbers")
        return tuple((first, second) for first, second in values)

    def parts(self, key: str) -> list[Reader]:
        """Return a reader for each object of a list."""
        values = self.take(key, list)
        if any(type(value) is not dict for value in values):
            raise self.refuse(key, "objects")
        return [Reader(self._path, value, f"{self._place}{key}[{i}].") for i, value in enumerate(values)]

    def refuse(self, key: str, wanted: str) -> BundleError:
        found = repr(self._found.get(key, "nothing"))[:60]
        return BundleError(f"{self._path}: {self._place}{key}: expected {wanted}, got {found}")


def read_program(path: Path, name: str, found: Any) -> Program:
    if type(found) is not dict:
        raise BundleError(f"{path}: programs.{name}: expected an object")
    reader = Reader(path, found, f"programs.{name}.")
    offset, n_descriptors = reader.counts("descriptors", 2)
    return Program(
        name=name,
        offset=offset,
        n_descriptors=n_descriptors,
        inputs=tuple(read_port(part, is_output=False) for part in reader.parts("inputs")),
        outputs=tuple(read_port(part, is_output=True) for part in reader.parts("outputs")),
        macs=reader.count("macs"),
        model_cycles=reader.count("model_cycles"),
    )


def read_port(reader: Reader, is_output: bool) -> Port:
    channels, height, width = reader.counts("shape", 3)
    return Port(
        name=reader.take("name", str),
        shape=(channels, height, width),
        offset=reader.count("offset"),
        slots=reader.count("slots"),
        slot_pitch=reader.count("slot_pitch"),
        uses=reader.pairs("uses"),
        digits=1 if is_output else reader.count("digits"),
        copies=1 if is_output else reader.count("copies", absent=1),
        raw=is_output and reader.take("raw", bool),
        scale=reader.floats("scale") if is_output else (),
        bias=reader.floats("bias") if is_output else (),
    )
