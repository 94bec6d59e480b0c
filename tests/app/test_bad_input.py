# SPDX-License-Identifier: Apache-2.0
"""Whatever the user gives: one sentence that helps, the right exit code, no traceback, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import wave
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.output.mp4 import Mp4Writer
from models.fetch import DEMO_CLIP, fetched
from models.results import Image
from tests.app.program import ROOT, Ended, events, n_frames, run

MAX = "--headless --pace max"
DEMO = f"{MAX} --source demo --frames 20"
FLOW = f"{DEMO} --task flow --method dis"


@dataclass(frozen=True)
class Case:
    """Flags, and how the one line on stderr begins; `{folder}` stands for the folder of the files, the current one."""

    flags: str
    says: str
    code: int = 1
    variables: dict[str, str] = field(default_factory=dict)


NO_PIP = {"EDGE_CACHE": "empty", "PIP_NO_INDEX": "1"}
NOT_READ = "is not a video or picture that OpenCV can read; give another file"
NO_FRAME = "opens, but no frame of it decodes; it is truncated or damaged"
BAD_PICTURE = "has a picture's first bytes but cannot be decoded; give another file"
FULL = "No space left on device"
KEPT = "what was written is kept, free some space or choose another place"

CASES = {
    # sources
    "camera missing": Case(f"{MAX} --source camera:77", "no camera at /dev/video77; cameras here: "),
    "camera without a number": Case(f"{MAX} --source camera:x", "--source camera:x: expected camera:N"),
    "seed without a number": Case(f"{MAX} --source synthetic:-1", "--source synthetic:-1: expected camera:N"),
    "clip missing": Case(f"{MAX} --source no.mp4", "no file at no.mp4; give the path of a video or picture file"),
    "clip empty": Case(f"{MAX} --source empty.mp4", "empty.mp4 is empty; give another file"),
    "folder": Case(f"{MAX} --source folder", "folder is a directory; give the path of one video or picture file"),
    "text": Case(f"{MAX} --source text.mp4", f"{{folder}}/text.mp4 {NOT_READ}"),
    "video cut in its header": Case(f"{MAX} --source head.mp4", f"{{folder}}/head.mp4 {NOT_READ}"),
    "sound alone": Case(f"{MAX} --source sound.wav", f"{{folder}}/sound.wav {NOT_READ}"),
    "video of no frame": Case(f"{MAX} --source none.avi", f"none.avi {NO_FRAME}"),
    "cut png": Case(f"{MAX} --source cut.png", f"cut.png {BAD_PICTURE}"),
    "signature of a png": Case(f"{MAX} --source signature.png", f"signature.png {BAD_PICTURE}"),
    "pipe": Case(f"{MAX} --source pipe", "pipe is a device or a pipe, not a file; give a file"),
    "video cut in the middle": Case(
        f"{MAX} --source half.mp4 --events half.jsonl", "{folder}/half.mp4 ends after ", code=0
    ),
    # what this version does not have
    "task": Case(f"{DEMO} --task face", "task face is not part of this version; use --task expression|flow|pose"),
    "method": Case(f"{DEMO} --task flow --method net --backend gpu", "backend gpu finds no GPU here ("),
    "tracker": Case(f"{DEMO} --tracker hybrid", "--tracker hybrid: task expression follows nobody by looks; add"),
    "gpu": Case(f"{DEMO} --backend gpu", "backend gpu finds no GPU here ("),
    # what a backend cannot do
    "w1a2 on cpu": Case(
        f"{DEMO} --backend cpu --precision w1a2",
        "backend cpu does not run w1a2 networks; use --precision float|int8, or --backend auto",
    ),
    "float on lowbit": Case(
        f"{DEMO} --backend lowbit",
        "backend lowbit does not run float networks; use --precision w1a2, or --backend auto",
    ),
    "float on fpga": Case(f"{DEMO} --backend fpga", "backend fpga does not run float networks; use --precision w1a2"),
    # accelerators that are not here
    "no board": Case(
        f"{DEMO} --backend fpga --precision w1a2",
        "no accelerator here (uio: ",
        variables={"EDGE_FPGA": ""},
    ),
    "unknown accelerator": Case(
        f"{DEMO} --backend fpga --precision w1a2",
        "no accelerator here (usb: accelerator 'usb': expected auto, uio, devmem",
        variables={"EDGE_FPGA": "usb"},
    ),
    "simulator not built": Case(
        f"{DEMO} --backend fpga-sim --precision w1a2",
        "no simulated accelerator at nowhere/accel_sim; build it with `make fpga-sim`",
        variables={"EDGE_FPGA_SIM": "nowhere/accel_sim"},
    ),
    "simulator is something else": Case(
        f"{DEMO} --backend fpga-sim --precision w1a2",
        "the simulated accelerator ended early with exit code 1 (it said nothing)",
        variables={"EDGE_FPGA_SIM": "/bin/false"},
    ),
    "unknown kernels": Case(
        f"{DEMO} --precision w1a2", "EDGE_LOWBIT=sse: expected auto, avx512", variables={"EDGE_LOWBIT": "sse"}
    ),
    "no compiler": Case(
        f"{DEMO} --precision w1a2",
        "the low-bit kernels need a C compiler, and no-such-cc cannot be started (No such file or directory); install",
        variables={"CC": "no-such-cc", "EDGE_LOWBIT": ""},
    ),
    "compare cannot": Case(f"{DEMO} --compare cpu:w1a2", "backend cpu does not run w1a2 networks; use --precision"),
    # settings
    "config missing": Case(f"{DEMO} --config no.json", "cannot read the settings file no.json: No such file"),
    "config broken": Case(f"{DEMO} --config half.json", "half.json is not a JSON file ("),
    "config unknown key": Case(f"{DEMO} --config key.json", "key.json: unknown setting 'colour'; known are source"),
    "config bad value": Case(f"{DEMO} --config value.json", "value.json: task is 'fly', allowed are expression, face"),
    "rotate": Case(f"{DEMO} --rotate nan", "--rotate: nan is no turn, expected -360 to 360 degrees; correct it"),
    "fisheye": Case(f"{DEMO} --fisheye wide", "--fisheye: expected 1 or 3 numbers with commas between them, got"),
    "roi": Case(f"{DEMO} --roi 0,0,2,1", "--roi: 0,0,2,1 is no part of the picture, expected left, top, width and"),
    # zones
    "zones missing": Case(f"{FLOW} --zones no.json", "cannot read the zones no.json: No such file or directory; give"),
    "zones broken": Case(f"{FLOW} --zones half.json", "half.json is not a JSON file of zones ("),
    "settings as zones": Case(
        f"{FLOW} --zones ok.json", 'ok.json: expected {"version": 2, "zones": [...]} and no more'
    ),
    "zones of another task": Case(
        f"{DEMO} --zones no.json",
        "--zones no.json: task expression watches no zones; add --task flow or pose, or leave it out",
    ),
    "events over the zones": Case(f"{FLOW} --zones a.json --events a.json", "--events a.json would overwrite the file"),
    # outputs
    "record into no folder": Case(f"{DEMO} --record /proc/no/v.mp4", "--record: cannot write /proc/no/v.mp4: "),
    "record into a file": Case(f"{DEMO} --record text.mp4/v.mp4", "--record: cannot write text.mp4/v.mp4: Not a dir"),
    "record on a full disk": Case(f"{DEMO} --record /dev/full", f"/dev/full ends after 0 frames: {FULL}; {KEPT}"),
    "events on a full disk": Case(f"{DEMO} --events /dev/full", f"/dev/full ends after 0 frames: {FULL}; {KEPT}"),
    "stats on a full disk": Case(f"{DEMO} --stats /dev/full", f"cannot write the figures to /dev/full: {FULL}; choose"),
    "stats into a folder": Case(
        f"{DEMO} --record kept.mp4 --stats folder", "--stats: cannot write folder: Is a directory; choose another place"
    ),
    "events into a pipe": Case(f"{DEMO} --events pipe", "events: cannot write pipe: no program reads this pipe"),
    "record over the source": Case(
        f"{MAX} --source kept.mp4 --record kept.mp4", "--record kept.mp4 would overwrite the file of --source; choose"
    ),
    "record over the source by a link": Case(
        f"{MAX} --source kept.mp4 --record folder/link.mp4", "--record folder/link.mp4 would overwrite"
    ),
    "events over the source": Case(f"{MAX} --source kept.mp4 --events ./kept.mp4", "--events kept.mp4 would overwrite"),
    "stats over the source": Case(f"{MAX} --source kept.mp4 --stats kept.mp4", "--stats kept.mp4 would overwrite"),
    "stats over the events": Case(f"{DEMO} --events a.json --stats a.json", "--events a.json would overwrite"),
    "stats over the settings": Case(f"{DEMO} --config ok.json --stats ok.json", "--stats ok.json would overwrite"),
    # fetched files
    "no cache, no network": Case(
        DEMO, "face_detection_short_range.tflite is not in empty and could not be fetched: ", variables=NO_PIP
    ),
    "wrong file in the cache": Case(
        DEMO,
        "face_detection_short_range.tflite in wrong is another file and could not be fetched: pip could not",
        variables={**NO_PIP, "EDGE_CACHE": "wrong"},
    ),
}


def astronaut() -> Image:
    return np.asarray(cv2.imread(str(fetched("astronaut.png"))), np.uint8)


def crowd(columns: int, rows: int, size_wh: tuple[int, int]) -> Image:
    """Return a picture with one face a cell."""
    image = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
    width, height = size_wh[0] // columns, size_wh[1] // rows
    side = min(width, height)
    face = cv2.resize(astronaut()[20:230, 120:330], (side, side), interpolation=cv2.INTER_AREA)
    for row in range(rows):
        for column in range(columns):
            image[row * height : row * height + side, column * width : column * width + side] = face
    return image


def film(path: Path, image: NDArray[Any], n: int = 5, fourcc: str = "MJPG") -> None:
    """Write a video of `n` times the same picture."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), 30.0, (image.shape[1], image.shape[0]))
    assert writer.isOpened()
    for _ in range(n):
        writer.write(image)
    writer.release()


def odd_film(path: Path, image: NDArray[Any]) -> None:
    """Write a video whose size may be odd: OpenCV's own writer rounds it down."""
    with path.open("wb") as file:
        writer = Mp4Writer(file, (image.shape[1], image.shape[0]), 30.0)
        for k in range(5):
            writer.write(cv2.imencode(".jpg", image)[1].tobytes(), k / 30)
        writer.finish()


def make_files(folder: Path) -> None:
    """Write the bad files of `CASES` and the odd ones of the tests below."""
    demo, png = fetched(DEMO_CLIP).read_bytes(), fetched("astronaut.png").read_bytes()
    contents = {
        "empty.mp4": b"",
        "text.mp4": b"hello\n" * 50,
        "head.mp4": demo[:2000],
        "half.mp4": demo[: len(demo) // 4],
    }
    contents |= {"cut.png": png[: len(png) // 2], "signature.png": png[:20], "half.json": b'{"task": "expr'}
    contents |= {"key.json": b'{"colour": 1}', "value.json": b'{"task": "fly"}', "ok.json": b"{}"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(struct.pack("<8000h", *([0] * 8000)))
    film(folder / "none.avi", np.zeros((48, 64, 3), np.uint8), n=0)
    film(folder / "kept.mp4", cv2.resize(astronaut(), (320, 240)), n=3, fourcc="mp4v")
    for name in ("folder", "empty", "wrong"):
        (folder / name).mkdir()
    (folder / "folder/link.mp4").symlink_to("../kept.mp4")
    (folder / "wrong/face_detection_short_range.tflite").write_text("another network")
    os.mkfifo(folder / "pipe")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    make_files(folder)
    return folder


@pytest.fixture(scope="module")
def ended(folder: Path) -> Iterator[dict[str, Future[Ended]]]:
    """Return the runs of all cases; they go on two at a time while the tests look at the first."""
    with ThreadPoolExecutor(2) as two:
        yield {name: two.submit(run, folder, case.flags, "", **case.variables) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_one_sentence_and_the_exit_code(ended: dict[str, Future[Ended]], folder: Path, name: str) -> None:
    case, done = CASES[name], ended[name].result()
    assert len(done.said) == 1, done.said
    assert done.said[0].startswith(case.says.replace("{folder}", str(folder)))
    assert "Traceback" not in done.said[0]
    assert done.code == case.code


def test_nothing_was_lost(ended: dict[str, Future[Ended]], folder: Path) -> None:
    for future in ended.values():
        future.result()
    assert n_frames(folder / "kept.mp4") == 3
    assert (folder / "ok.json").read_text() == "{}"
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)
    assert len(events(folder / "half.jsonl")) > 50
    assert not {"a.json", "v.mp4", "out"} & {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--task magic", "argument --task: invalid choice: 'magic'"),
        ("--frames 0", "argument --frames: expected a whole number of at least 1, got 0"),
        ("--nothing", "unrecognized arguments: --nothing"),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, flags: str, says: str) -> None:
    done = run(tmp_path, flags)
    assert done.code == 2
    assert done.said[0].startswith("usage: python -m app")
    assert says in done.said[-1]
    assert done.wall_s < 5


def test_forbidden_file_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    (tmp_path / "clip.mp4").chmod(0)
    done = run(tmp_path, f"{MAX} --source clip.mp4")
    assert (done.code, len(done.said)) == (1, 1)
    assert done.said[0].startswith("clip.mp4 cannot be read: Permission denied")


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("train", "nets", "convert"))
    weights = tmp_path / "models/weights/expression_int8.tflite"
    flags = f"{DEMO} --precision int8 --events e.jsonl"  # the current folder comes first on Python's path
    weights.write_bytes(weights.read_bytes() + b"x")
    wrong = run(tmp_path, flags)
    assert (wrong.code, len(wrong.said)) == (1, 1)
    assert wrong.said[0].startswith(f"{weights} is not the file of card expression_int8: expected sha256 ")
    assert wrong.said[0].endswith("restore the file or fetch it again")
    listed = run(tmp_path, "--list")
    assert listed.code == 0
    assert f"{weights} is not the file of card expression_int8" in listed.out
    weights.unlink()
    missing = run(tmp_path, flags)
    assert (missing.code, len(missing.said)) == (1, 1)
    assert missing.said[0].startswith(f"the weights {weights} of network expression_int8 are missing")
    assert not (tmp_path / "e.jsonl").exists()


ODD: dict[str, tuple[list[int], int, int]] = {  # file -> width and height, faces found at least and at most
    "one.png": ([1, 1], 0, 0),
    "grey.png": ([512, 512], 1, 1),
    "alpha.png": ([512, 512], 1, 1),
    "deep.png": ([512, 512], 1, 1),
    "8k.jpg": ([7680, 4320], 1, 1),
    "odd.mp4": ([641, 359], 1, 1),
    "nobody.avi": ([320, 240], 0, 0),
    "crowd24.avi": ([640, 480], 20, 24),
    "crowd50.avi": ([1280, 640], 0, 50),  # too small for the full range network, which sees 192 px
}


@pytest.fixture(scope="module")
def odd(folder: Path) -> Iterator[dict[str, Future[Ended]]]:
    """Return the runs over odd but good pictures and clips, each with its events and its recording."""
    image = astronaut()
    pictures = {
        "one.png": image[:1, :1],
        "grey.png": cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
        "alpha.png": cv2.cvtColor(image, cv2.COLOR_BGR2BGRA),
        "deep.png": image.astype(np.uint16) * 257,
        "8k.jpg": cv2.resize(image, (7680, 4320)),
    }
    for name, picture in pictures.items():
        assert cv2.imwrite(str(folder / name), picture)
    odd_film(folder / "odd.mp4", cv2.resize(image, (641, 359)))
    film(folder / "nobody.avi", np.zeros((240, 320, 3), np.uint8))
    film(folder / "crowd24.avi", crowd(6, 4, (640, 480)))
    film(folder / "crowd50.avi", crowd(10, 5, (1280, 640)))
    with ThreadPoolExecutor(2) as two:
        yield {
            name: two.submit(run, folder, f"{MAX} --source {name} --record {name}.mp4 --events {name}.jsonl")
            for name in ODD
        }


@pytest.mark.parametrize("name", ODD)
def test_odd_pictures_are_seen(odd: dict[str, Future[Ended]], folder: Path, name: str) -> None:
    done = odd[name].result()
    assert (done.code, done.said) == (0, [])
    found = events(folder / f"{name}.jsonl")
    assert len(found) == (5 if name.endswith(("avi", "mp4")) else 1)
    size, least, most = ODD[name]
    assert found[-1]["size"] == size
    assert least <= len(found[-1]["tracks"]) <= most
    assert n_frames(folder / f"{name}.mp4") == len(found)
    json.dumps(found, allow_nan=False)
