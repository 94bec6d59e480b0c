# SPDX-License-Identifier: Apache-2.0
"""Every line of check_bundle is broken once; files that are not what they say are refused with a sentence."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.lowbit.bundle_file import load_bundle, save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.linker import link
from device.lowbit.network import InputTensor, Network
from device.lowbit.program import Bundle, BundleError, Port, check_bundle
from tests.device.lowbit.networks import codes, pyramid

BUNDLE = link([compile_network(pyramid())], slots=2)
PROGRAM = BUNDLE.programs["pyramid"]
IMAGE, (FUSE, SCORE) = PROGRAM.inputs[0], PROGRAM.outputs
Change = Callable[[Bundle], Bundle]


def with_program(**values: Any) -> Change:
    return lambda bundle: replace(bundle, programs={"pyramid": replace(PROGRAM, **values)})


def with_input(**values: Any) -> Change:
    return with_program(inputs=(replace(IMAGE, **values),))


def with_score(**values: Any) -> Change:
    return with_program(outputs=(FUSE, replace(SCORE, **values)))


def with_word(index: int, word: int, value: int) -> Change:
    """Replace one word of one descriptor; the sum of the image is made right again."""

    def change(bundle: Bundle) -> Bundle:
        image = bundle.image.copy()
        at = PROGRAM.offset + index * 64 + word * 4
        image[at : at + 4] = np.array([value], "<u4").view(np.uint8)
        return replace(bundle, image=image, sha256=hashlib.sha256(image.tobytes()).hexdigest())

    return change


def with_ring(**values: int) -> Change:
    return lambda bundle: replace(bundle, ring=replace(bundle.ring, **values))


def word(index: int, at: int) -> int:
    return int(BUNDLE.words(PROGRAM)[index, at])


def not_fused() -> tuple[Port, ...]:
    return (replace(FUSE, uses=()), SCORE)


BROKEN: dict[str, tuple[Change, str]] = {
    "sum": (lambda b: replace(b, sha256="0" * 64), "1: expected an image with sha256 0000"),
    "format": (lambda b: replace(b, format=2), "1: expected format 1, got 2"),
    "illegal descriptor": (with_word(1, 10, 0), "1: pyramid descriptor 1: BAD_FIELD"),
    "reserved bit": (with_word(2, 15, 1), "1: pyramid descriptor 2: BAD_FIELD"),
    "tag": (with_word(0, 0, 1), "1: pyramid descriptor 0: BAD_TAG"),
    "seq": (with_word(0, 1, 9), "1: pyramid descriptor 0: seq 9, a file holds 0"),
    "descriptor alignment": (with_word(1, 4, word(1, 4) + 8), "2: pyramid descriptor 1: BAD_ALIGN"),
    "descriptor out of arena": (with_word(1, 5, 0xFFFFFF00), "2: pyramid descriptor 1: OUT_OF_ARENA"),
    "constants behind the image": (
        with_word(1, 6, BUNDLE.image.size - 64),
        f"2: pyramid descriptor 1: constants at {BUNDLE.image.size - 64} are outside the image",
    ),
    "arena size": (lambda b: replace(b, arena_bytes=b.arena_bytes + 64), "2: arena_bytes: expected a multiple of 4096"),
    "arena too large": (lambda b: replace(b, arena_bytes=2**32), "2: arena_bytes: expected a multiple of 4096"),
    "arena below image": (lambda b: replace(b, arena_bytes=4096), "2: image: "),
    "ring log2": (with_ring(log2=11), r"2: ring log2: expected 1\.\.10, got 11"),
    "ring alignment": (with_ring(offset=32), "2: ring: offset 32 is not a multiple of 64"),
    "records outside": (with_ring(records=BUNDLE.arena_bytes - 64), "2: records: bytes .* are outside"),
    "table outside": (with_program(offset=1 << 30), "2: pyramid descriptors: bytes .* are outside"),
    "port shape": (with_input(shape=(3, 0, 20)), "2: pyramid.image: expected"),
    "port digits": (with_input(digits=5), r"2: pyramid.image: expected \(C, H, W\) and 1\.\.4 digits"),
    "too many copies": (with_input(copies=11), "2: pyramid.image: 11 copies of 3 channels do not fit a block"),
    "no slots": (with_input(slots=0), r"2: pyramid.image: expected 1\.\.1024 slots, got 0"),
    "slot alignment": (with_input(slot_pitch=IMAGE.slot_pitch + 32), "2: pyramid.image: slot_pitch"),
    "port alignment": (with_input(offset=IMAGE.offset + 32), "2: pyramid.image: offset .* is not a multiple of 64"),
    "port outside": (with_input(slots=1000), "2: pyramid.image: bytes .* are outside"),
    "scales": (with_score(scale=SCORE.scale[1:]), "2: pyramid.score: 6 scales, 7 biases, 7 channels"),
    "slots overlap": (with_input(slot_pitch=IMAGE.slot_pitch - 64), "3: pyramid.image: slot_pitch"),
    "ports overlap": (
        with_score(offset=SCORE.offset - 64, uses=()),
        "3: .*pyramid.fuse slot 1 and outputs: pyramid.score slot 0 overlap",
    ),
    "port in constants": (with_input(offset=5120, uses=()), "3: .* overlap at byte"),
    "ring over records": (with_ring(records=64), "3: control ring and control records overlap at byte 64"),
    "ring over table": (with_ring(log2=10), r"3: .* overlap at byte"),
    "scratch in an output": (
        with_program(outputs=not_fused()),
        "3: .*fuse slot 0 .*overlap|3: scratch and .*fuse slot 0",
    ),
    "use that is no address": (with_input(uses=((0, 6),)), r"3: pyramid.image: use \[0, 6\] is not an address"),
    "use of no descriptor": (with_input(uses=((9, 4),)), r"3: pyramid.image: use \[9, 4\] is not an address"),
    "use twice": (with_input(uses=((0, 4), (0, 4))), r"3: pyramid.image: use \[0, 4\] is not an address of its own"),
    "use outside its port": (with_input(uses=((0, 4), (1, 4))), r"3: pyramid.image: use \[1, 4\] leaves bytes"),
    "writes what it reads": (with_word(1, 5, word(1, 4)), "4: pyramid descriptor 1: what it writes overlaps"),
    "target planes overlap": (with_word(0, 8, 32), "4: pyramid descriptor 0: what it writes overlaps"),
    "rows nobody wrote": (
        with_word(1, 9, word(1, 9) - (1 << 16)),
        "4: pyramid descriptor 2: reads rows that nothing wrote",
    ),
    "output not written": (with_word(5, 9, word(5, 9) - (1 << 16)), "4: pyramid.score: not every row of the output"),
    "too wide": (with_word(1, 9, 1000 << 16 | 1000), "5: pyramid descriptor 1: BUFFER_FULL"),
    "program above the ring": (with_ring(log2=2), r"5: pyramid: 6 descriptors, the ring holds 1\.\.4"),
    "empty program": (with_program(n_descriptors=0), "5: pyramid: 0 descriptors"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_check_refuses_what_breaks_it(name: str) -> None:
    change, message = BROKEN[name]
    with pytest.raises(BundleError, match=f"^bundle check {message}"):
        check_bundle(change(BUNDLE))


def test_check_reports_the_bytes_of_each_region() -> None:
    sizes = check_bundle(BUNDLE, window_bytes=BUNDLE.arena_bytes)
    assert list(sizes) == ["control", "constants", "scratch", "inputs", "outputs"]
    assert sizes["outputs"] == 2 * (6 * 12 * 8 + 6 * 12 * 128)
    with pytest.raises(BundleError, match=f"check 2: arena_bytes {BUNDLE.arena_bytes} is above the 4096 bytes"):
        check_bundle(BUNDLE, window_bytes=4096)


def test_bundle_comes_back_from_its_files(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    save_bundle(BUNDLE, path)
    back = load_bundle(path)
    assert back.programs == BUNDLE.programs
    assert (back.ring, back.arena_bytes, back.sha256) == (BUNDLE.ring, BUNDLE.arena_bytes, BUNDLE.sha256)
    assert np.array_equal(back.image, BUNDLE.image)
    described = json.loads(path.read_text())
    assert described["image"] == "demo.bin"
    assert described["programs"]["pyramid"]["outputs"][1]["uses"] == [[5, 5]]
    with pytest.raises(BundleError, match=r"demo\.json: bundle check 2: arena_bytes"):
        load_bundle(path, window_bytes=4096)


OTHER = link([compile_network(pyramid(seed=5))])


@pytest.mark.parametrize("call", ["replace", "mkdir", "unlink"])
def test_save_that_fails_leaves_a_whole_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """At whichever call it stops, the description names a complete image: that of the old bundle or of the new one."""
    path, true = tmp_path / "demo.bundle", getattr(Path, call)
    for n_good in range(6):
        save_bundle(BUNDLE, path)
        calls = iter(range(n_good))

        def full(self: Path, *given: Any, calls: Any = calls, **named: Any) -> Any:
            if next(calls, None) is None:
                raise OSError(28, "No space left on device")
            return true(self, *given, **named)

        with monkeypatch.context() as patch, suppress(BundleError):
            patch.setattr(Path, call, full)
            save_bundle(OTHER, path)
        assert load_bundle(path).sha256 in (BUNDLE.sha256, OTHER.sha256)
    assert load_bundle(path).sha256 == OTHER.sha256


def test_full_disk_keeps_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "demo.json"
    save_bundle(BUNDLE, path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BundleError, match=r"demo\.json cannot be written \(No space left on device\)"):
        save_bundle(OTHER, path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_saving_again_leaves_two_files(tmp_path: Path) -> None:
    for bundle in (BUNDLE, OTHER, OTHER):
        save_bundle(bundle, tmp_path / "new/demo.bundle")
        assert load_bundle(tmp_path / "new/demo.bundle").sha256 == bundle.sha256
        assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["demo.bin", "demo.bundle"]


@pytest.mark.parametrize("name", ["demo.bin", "/", "folder"])
def test_name_that_leaves_no_place_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BundleError, match=r"expected the name of a file|cannot be written \(Is a directory\)"):
        save_bundle(BUNDLE, tmp_path / name)
    assert not (tmp_path / "demo.bin").exists()


def edited(tmp_path: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """Save BUNDLE with its description edited."""
    path = tmp_path / "demo.json"
    save_bundle(BUNDLE, path)
    described = json.loads(path.read_text())
    edit(described)
    path.write_text(json.dumps(described))
    return path


DESCRIPTIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "version": (lambda d: d.update(format=2), "expected format 1, got 2"),
    "no version": (lambda d: d.pop("format"), "expected format 1, got None"),
    "sum": (lambda d: d.update(sha256="00"), "bundle check 1: expected an image with sha256 00"),
    "sum of another kind": (lambda d: d.update(sha256=3), "sha256: expected str, got 3"),
    "image elsewhere": (lambda d: d.update(image="../demo.bin"), "image must be the name of a file beside it"),
    "image missing": (lambda d: d.update(image="other.bin"), "other.bin cannot be read"),
    "no arena": (lambda d: d.pop("arena_bytes"), "arena_bytes: expected int, got 'nothing'"),
    "arena of another kind": (lambda d: d.update(arena_bytes=True), "arena_bytes: expected int, got True"),
    "negative": (lambda d: d.update(arena_bytes=-4096), "arena_bytes: expected 0 or more, got -4096"),
    "image above the arena": (lambda d: d.update(arena_bytes=4096), "demo.bin: .* bytes do not fit into 4096"),
    "programs": (lambda d: d.update(programs=[]), r"programs: expected dict, got \[\]"),
    "program": (lambda d: d.update(programs={"a": 1}), "programs.a: expected an object"),
    "table": (lambda d: d["programs"]["pyramid"].update(descriptors=[0]), "descriptors: expected 2 numbers"),
    "ports": (lambda d: d["programs"]["pyramid"].update(inputs=[1]), "inputs: expected objects"),
    "uses": (lambda d: d["programs"]["pyramid"]["inputs"][0].update(uses=[[1]]), r"inputs\[0\].uses: expected pairs"),
    "scale": (lambda d: d["programs"]["pyramid"]["outputs"][1].update(scale=["x"]), "scale: expected finite numbers"),
    "infinite": (
        lambda d: d["programs"]["pyramid"]["outputs"][1].update(bias=[1e999]),
        "bias: expected finite numbers",
    ),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_that_are_wrong_are_refused(tmp_path: Path, name: str) -> None:
    edit, message = DESCRIPTIONS[name]
    with pytest.raises(BundleError, match=message):
        load_bundle(edited(tmp_path, edit))


def test_files_that_are_damaged_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    save_bundle(BUNDLE, path)
    image, text = path.with_suffix(".bin"), path.read_text()
    content = image.read_bytes()
    image.write_bytes(content[:-1])
    with pytest.raises(BundleError, match="bundle check 1: expected an image"):
        load_bundle(path)
    image.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(BundleError, match="bundle check 1: expected an image"):
        load_bundle(path)
    image.write_bytes(content + bytes(BUNDLE.arena_bytes))
    with pytest.raises(BundleError, match="do not fit into"):
        load_bundle(path)
    for wrong in (text[:-5], "[]", "\x00", "[" * 100_000, "{" + " " * (17 << 20) + "}"):
        path.write_text(wrong)
        with pytest.raises(BundleError, match=r"is not a bundle description|a bundle description has at most"):
            load_bundle(path)
    path.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(path)


def test_a_wrong_bundle_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="bundle check 1"):
        save_bundle(replace(BUNDLE, sha256=""), tmp_path / "demo.json")
    assert not list(tmp_path.iterdir())


def test_no_program_is_shared_by_mistake() -> None:
    twice = replace(BUNDLE, programs={"a": PROGRAM, "b": PROGRAM})
    with pytest.raises(BundleError, match="check 3: constants: descriptors of a and constants: descriptors of b"):
        check_bundle(twice)


def test_copies_stand_in_the_file_where_there_are_some(tmp_path: Path) -> None:
    layer = codes(np.random.default_rng(0), "conv1", ("face",), (28, 8))
    network = Network("copied", (InputTensor("face", (4, 6, 6), copies=7),), (layer,), ("conv1",))
    save_bundle(link([compile_network(network), compile_network(pyramid())]), tmp_path / "two.json")
    found = load_bundle(tmp_path / "two.json").programs
    assert [program.inputs[0].copies for program in found.values()] == [7, 1]
    assert (tmp_path / "two.json").read_text().count("copies") == 1
