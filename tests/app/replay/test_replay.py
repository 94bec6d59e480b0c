# SPDX-License-Identifier: Apache-2.0
"""A recorded session run again: the same frames, the same changes at the same frames, the same events."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import cli
from app.build import Networks, Program
from app.config import Settings
from app.frame import FrameResult
from app.headless import HeadlessRun
from app.motion.zones import Zone
from app.output.events import event
from app.output.queued_file import OutputError
from app.replay.session_folder import DESCRIPTION, FRAMES, ReplayError, load_description, packed, read_records
from device.errors import AppError
from models.fetch import FetchError
from tests.app.runtime.scripted import WAIT_S, Memory


@pytest.fixture
def networks() -> Iterator[Networks]:
    with Networks() as found:
        yield found


def record(
    folder: Path,
    networks: Networks,
    settings: Settings,
    n_frames: int = 12,
    at: Callable[[Program, FrameResult[Any]], None] = lambda program, result: None,
) -> list[dict[str, Any]]:
    """Record a session and return its events; `at` is called with each result."""
    memory, events = Memory(), []
    made: list[Program] = []

    def take(result: FrameResult[Any]) -> None:
        events.append(event(result))
        at(made[0], result)

    listeners = replace(memory.listeners(), on_result=take)
    try:
        made.append(Program(settings, networks, listeners, max_frames=n_frames))
    except FetchError as error:
        pytest.skip(str(error))
    made[0].record_session(folder)
    made[0].start()
    assert memory.ended.wait(WAIT_S)
    made[0].close()
    assert memory.errors == []
    return events


def check(folder: Path, networks: Networks) -> dict[str, Any]:
    """Run `replay FOLDER --check` and return its figures."""
    return HeadlessRun(cli.parse(["replay", str(folder), "--check"]), networks, None).run()


SCENE = Settings(source="synthetic:3", pace="max", precision="int8")


def stored(folder: Path, networks: Networks) -> list[dict[str, Any]]:
    """Record a session that stores its frames."""
    return record(folder, networks, replace(SCENE, pace="realtime"), 10)


def test_a_scene_is_stored_by_its_seed_and_says_the_same_twice(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    events = record(folder, networks, SCENE)
    assert (load_description(folder).source, load_description(folder).source_kind) == ("synthetic:3", "source")
    assert load_description(folder).n_frames == len(events) == 12
    assert (folder / FRAMES).stat().st_size < 20_000
    for _ in range(2):
        assert check(folder, networks)["check"] == {"frames": 12, "equal": 12, "largest_difference": {}}


def test_frames_that_cannot_be_had_again_are_stored_without_loss(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    events = stored(folder, networks)
    assert load_description(folder).source_kind == "frames"
    assert [header["event"] for header, _ in read_records(folder)] == events
    found = check(folder, networks)["check"]
    assert found["frames"] == found["equal"] == len(events)


def test_changes_are_done_again_at_the_same_frame(tmp_path: Path, networks: Networks) -> None:
    zone = Zone("zone 1", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))

    def change(program: Program, result: FrameResult[Any]) -> None:
        if result.frame.seq == 3:
            program.select(replace(program.settings, method="dis"))
        if result.frame.seq == 6:
            program.watch((zone,))
        if result.frame.seq == 9:
            program.select(replace(program.settings, method="net", precision="float"))

    folder = tmp_path / "session"
    record(folder, networks, replace(SCENE, task="flow"), 14, change)
    noted = [(h["event"]["seq"], h["conditions"]) for h, _ in read_records(folder) if "conditions" in h]
    assert [c["method"] for _, c in noted] == ["net", "dis", "dis", "net"]
    assert [len(c["marks"]) for _, c in noted] == [0, 0, 1, 1]
    found = check(folder, networks)["check"]
    assert found["frames"] == found["equal"] == 14


def test_a_session_of_a_device_that_is_not_here_runs_on_another_one(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    record(folder, networks, replace(SCENE, precision="w1a2"), 6)
    for name in (DESCRIPTION, FRAMES):  # as a board would have written it
        content = (folder / name).read_bytes()
        if name == DESCRIPTION:
            (folder / name).write_bytes(content.replace(b'"backend": "auto"', b'"backend": "fpga"'))
        else:
            records = list(read_records(folder))
            for header, _ in records:
                if "conditions" in header:
                    header["conditions"]["backend"] = "fpga"
            (folder / name).write_bytes(b"".join(packed(header, png) for header, png in records))
    with pytest.raises(AppError, match="no accelerator here"):
        check(folder, networks)
    command = cli.parse(["replay", str(folder), "--check", "--backend", "lowbit"])
    found = HeadlessRun(command, networks, None).run()
    assert (found["check"]["equal"], found["backend"]) == (6, "lowbit")


def test_a_difference_is_named_with_its_frame(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    record(folder, networks, SCENE)
    records = list(read_records(folder))
    k = next(n for n, (header, _) in enumerate(records) if header["event"]["tracks"])
    track = records[k][0]["event"]["tracks"][0]
    track["expression"]["probs"][0] += 0.001
    (folder / FRAMES).write_bytes(b"".join(packed(header, png) for header, png in records))
    with pytest.raises(ReplayError, match=rf"differs in 1 frames; frame {k}: .*probs was .* expected the same"):
        check(folder, networks)


def test_another_network_is_refused(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    record(folder, networks, SCENE, 2)
    fields = json.loads((folder / DESCRIPTION).read_text())
    fields["models"] = [{"name": model["name"], "sha256": "0" * 64} for model in fields["models"]]
    (folder / DESCRIPTION).write_text(json.dumps(fields))
    with pytest.raises(ReplayError, match=r"was recorded with network .* of sha256 0000000000000000, here it is"):
        check(folder, networks)


def test_a_cut_file_can_be_run_up_to_the_cut(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    n_frames = len(stored(folder, networks))
    content = (folder / FRAMES).read_bytes()
    for n_bytes in (len(content) - 1, len(content) - 200_000):
        (folder / FRAMES).write_bytes(content[:n_bytes])
        found = check(folder, networks)["check"]
        assert 0 < found["frames"] == found["equal"] < n_frames


def damaged(folder: Path, how: str) -> None:
    """Break a session in one way."""
    content = (folder / FRAMES).read_bytes()
    description = json.loads((folder / DESCRIPTION).read_text())
    breaks: dict[str, Callable[[], object]] = {
        "no folder": lambda: shutil.rmtree(folder),
        "no description": (folder / DESCRIPTION).unlink,
        "no json": lambda: (folder / DESCRIPTION).write_text("{"),
        "another schema": lambda: (folder / DESCRIPTION).write_text(json.dumps({**description, "schema": 99})),
        "a field less": lambda: (folder / DESCRIPTION).write_text(json.dumps({**description, "extra": 1})),
        "unknown setting": lambda: (folder / DESCRIPTION).write_text(
            json.dumps({**description, "settings": {"colour": 1}})
        ),
        "no frames": (folder / FRAMES).unlink,
        "empty frames": lambda: (folder / FRAMES).write_bytes(b""),
        "other bytes": lambda: (folder / FRAMES).write_bytes(b"x" * 100),
        "altered picture": lambda: (folder / FRAMES).write_bytes(altered(content)),
        "huge header": lambda: (folder / FRAMES).write_bytes(b"EVFR\xff\xff\xff\xff" + content),
    }
    breaks[how]()


def altered(content: bytes) -> bytes:
    """Change the checksum of the first frame's picture."""
    at = content.index(b'"crc32":') + len(b'"crc32":')
    return content[:at] + (b"1" if content[at : at + 1] != b"1" else b"2") + content[at + 1 :]


SENTENCES = {
    "no folder": "is no recorded session: cannot read session.json",
    "no description": "is no recorded session: cannot read session.json",
    "no json": "is not a JSON file",
    "another schema": "a session of schema 99 cannot be run, this program reads schema 1",
    "a field less": "expected the fields .*, wrong is extra",
    "unknown setting": "unknown setting 'colour'",
    "no frames": "cannot read .*frames.bin: No such file",
    "empty frames": "holds no whole frame",
    "other bytes": "expected the start of a frame, found other bytes",
    "altered picture": "frame 0: the picture is not the one recorded",
    "huge header": "expected the start of a frame, found other bytes",
}


@pytest.mark.parametrize("how", SENTENCES)
def test_a_broken_session_is_refused_with_the_reason(how: str, tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    record(folder, networks, SCENE, 2)
    damaged(folder, how)
    with pytest.raises(AppError, match=SENTENCES[how]):
        check(folder, networks)


def test_a_clip_that_is_gone_or_another_one_is_refused(tmp_path: Path, networks: Networks) -> None:
    folder, clip = tmp_path / "session", tmp_path / "clip.mp4"
    memory, settings = Memory(), replace(SCENE, task="flow", method="dis")
    program = Program(settings, networks, memory.listeners(), lambda result: result.frame.image, 5)
    program.record(clip)
    program.start()
    assert memory.ended.wait(WAIT_S)
    program.close()
    record(folder, networks, replace(settings, source=str(clip)), 4)
    assert check(folder, networks)["check"]["equal"] == 4
    clip.write_bytes(clip.read_bytes()[:-1])
    with pytest.raises(ReplayError, match="is not the file that the session was recorded from"):
        check(folder, networks)
    clip.unlink()
    with pytest.raises(ReplayError, match="which is not there; put the file back"):
        check(folder, networks)


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: Path, networks: Networks) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="the folder is not empty; name a new one"):
        record(tmp_path, networks, SCENE, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]


def test_a_full_disk_leaves_what_was_recorded(tmp_path: Path, networks: Networks) -> None:
    folder, memory = tmp_path / "session", Memory()
    program = Program(replace(SCENE, pace="realtime"), networks, memory.listeners(), max_frames=8)
    program.record_session(folder)
    session = program._session
    assert session is not None
    encoder, add = session._file._encoder, session._file._encoder.add

    def add_until_full(file: Any, result: FrameResult[Any]) -> None:
        add(file, result)
        if session._file.n_written >= 3:
            file.flush()
            raise OSError(28, "No space left on device")

    encoder.add = add_until_full  # type: ignore[method-assign]
    program.start()
    assert memory.ended.wait(WAIT_S)
    program.close()
    (_, error), *others = memory.errors
    assert (str(error).startswith(f"{folder / FRAMES} ends after 3 frames: No space"), others) == (True, [])
    found = check(folder, networks)["check"]
    assert found["frames"] == found["equal"] == 3


def test_a_replay_in_a_window_keeps_the_time_between_frames_and_drops_none(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "session"
    stored(folder, networks)
    recorded = [header["event"] for header, _ in read_records(folder)]
    command, memory = cli.parse(["replay", str(folder)]), Memory()
    assert (command.is_headless, command.is_check, command.settings.pace) == (False, False, "realtime")
    program = Program(command.settings, networks, memory.listeners())
    start_s = time.monotonic()
    program.start()
    assert memory.ended.wait(WAIT_S)
    assert time.monotonic() - start_s >= (recorded[-1]["t_ns"] - recorded[0]["t_ns"]) / 1e9
    program.close()
    assert [event(result) for result in memory.results] == recorded
