# SPDX-License-Identifier: Apache-2.0
"""`python -m models.convert.bundle`: several networks in, one arena out, and every refusal in one sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.lowbit.bundle_file import load_bundle, save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.cpu import LowbitBackend
from device.lowbit.descriptor import Store
from device.lowbit.linker import link
from device.lowbit.machine import Emulator
from device.lowbit.network import InputTensor, Network
from models.card import load_card
from models.convert import bundle as command
from tests.device.lowbit.networks import codes, pyramid, random_inputs, raw, tall

ROOT = Path(__file__).parents[3]


def flow(seed: int = 4) -> Network:
    """Two frames after space-to-depth: down twice, up twice with the skipped tensors, 2 channels out."""
    rng = np.random.default_rng(seed)
    down, up = {"store": Store.SPACE_TO_DEPTH}, {"store": Store.UPSAMPLE}
    layers = (
        codes(rng, "conv1", ("frames",), (24, 16), spread=100),
        codes(rng, "conv2", ("conv1",), (16, 32), **down),
        codes(rng, "conv3", ("conv2",), (128, 32), **down),
        codes(rng, "up2", ("conv3",), (128, 32), **up),
        codes(rng, "fuse2", ("conv2", "up2"), (160, 32)),
        codes(rng, "up1", ("fuse2",), (32, 32), **up),
        codes(rng, "fuse1", ("conv1", "up1"), (48, 32)),
        raw(rng, "flow", ("fuse1",), (32, 2), k=3),
    )
    return Network("flow", (InputTensor("frames", (24, 16, 24), 4),), layers, ("flow",))


NETWORKS = {network.name: network for network in (flow(), pyramid(), tall())}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Each network in a bundle of its own, with 1, 2 and 3 slots."""
    for slots, (name, network) in enumerate(NETWORKS.items(), 1):
        save_bundle(link([compile_network(network)], slots), tmp_path / f"{name}.json")
    return {name: str(tmp_path / f"{name}.json") for name in NETWORKS}


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["bundle", *map(str, arguments)])
    return command.main()


def test_networks_run_from_the_bundle_as_from_their_own_files(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out/demo.bundle"
    assert call(monkeypatch, *files.values(), "-o", target) == 0
    assert sorted(file.name for file in target.parent.iterdir()) == ["demo.bin", "demo.bundle"]
    assert json.loads(target.read_text())["image"] == "demo.bin"
    for name, file in files.items():
        inputs = {key: values.astype(np.uint8) for key, values in random_inputs(NETWORKS[name], 3).items()}
        alone, together = (LowbitBackend(Path(path), name, Emulator()).run(inputs) for path in (file, target))
        for key, value in alone.items():
            assert np.array_equal(together[key], value)
    report = capsys.readouterr().out
    assert f"written: {target} and its image demo.bin" in report
    for word in ("flow: 8 descriptors, model: ", "control", "constants", "scratch", "inputs", "outputs", "arena"):
        assert word in report


@pytest.mark.parametrize(("flags", "slots"), [((), [1, 2, 3]), (("--slots", 5), [5, 5, 5])])
def test_slots_stay_or_are_set(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch, flags: tuple[object, ...], slots: list[int]
) -> None:
    assert call(monkeypatch, *files.values(), "-o", tmp_path / "demo", *flags) == 0
    programs = load_bundle(tmp_path / "demo").programs
    assert [program.inputs[0].slots for program in programs.values()] == slots
    assert [program.outputs[0].slots for program in programs.values()] == slots


def test_network_of_a_card_and_all_programs_of_a_bundle(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(monkeypatch, files["flow"], files["tall"], "-o", tmp_path / "two.json") == 0
    assert call(monkeypatch, "expression", tmp_path / "two.json", "-o", tmp_path / "three.bundle") == 0
    found = load_bundle(tmp_path / "three.bundle")
    assert list(found.programs) == ["expression", "flow", "tall"]
    own = load_bundle(load_card("expression_w1a2").path())
    assert found.programs["expression"].macs == own.programs["expression"].macs


def test_the_longest_ring_of_the_inputs_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_bundle(link([compile_network(flow())], ring_log2=8), tmp_path / "long.json")
    assert call(monkeypatch, "expression", tmp_path / "long.json", "-o", tmp_path / "demo.json") == 0
    assert load_bundle(tmp_path / "demo.json").ring.log2 == 8


REFUSED: dict[str, tuple[list[str], str]] = {
    "unknown": (
        ["nothing"],
        r"there is no low-bit network nothing; known are expression, flow, or give a program file",
    ),
    "missing file": (["{folder}/no.json"], r"no\.json cannot be read \(No such file or directory\)"),
    "one name": (["{flow}", "{flow}"], r"two networks are called flow, in .*flow\.json and in .*; leave one out"),
    "not a bundle": (["{folder}/text.json"], r"text\.json is not a bundle description"),
    "damaged image": (["{folder}/half.json"], r"half\.json: bundle check 1: expected an image with sha256"),
    "arena": (["{flow}", "--arena", "4096"], r"the bundle needs [\d,]+ bytes of arena and may use 4,096; leave"),
    "slots above the arena": (["{tall}", "--slots", "1000"], r"the bundle needs .* take fewer --slots"),
    "own image": (["{flow}", "-o", "{folder}/flow.bundle"], r"writing flow\.bin would overwrite .*flow\.json or its"),
    "own file": (["{flow}", "-o", "{flow}"], r"writing flow\.json would overwrite"),
    "name of an image": (["{flow}", "-o", "{folder}/demo.bin"], r"demo\.bin: expected the name of a file, and not one"),
    "no place": (["{flow}", "-o", "/proc/demo.bundle"], r"/proc/demo\.bundle cannot be written"),
    "show missing": (["--show", "{folder}/no.json"], r"no\.json cannot be read"),
    "show damaged": (["--show", "{folder}/half.json"], r"half\.json: bundle check 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_one_sentence_and_nothing_is_written(
    name: str,
    tmp_path: Path,
    files: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "text.json").write_text("no bundle")
    (tmp_path / "half.json").write_bytes(Path(files["flow"]).read_bytes().replace(b"flow.bin", b"half.bin"))
    (tmp_path / "half.bin").write_bytes(b"half")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    arguments, message = REFUSED[name]
    given = [word.format(folder=tmp_path, **files) for word in arguments]
    given += [] if {"-o", "--show"} & set(given) else ["-o", str(tmp_path / "demo.bundle")]
    assert call(monkeypatch, *given) == 1
    shown = capsys.readouterr()
    assert (shown.out, len(shown.err.splitlines())) == ("", 1)
    assert re.search(message, shown.err), shown.err
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected at least one NET and -o FILE, or --show FILE"),
        (["expression"], "expected at least one NET and -o FILE"),
        (["-o", "demo.bundle"], "expected at least one NET and -o FILE"),
        (["expression", "--show", "demo.bundle"], "--show takes no NET and no -o"),
        (["expression", "-o", "x", "--slots", "0"], "expected a whole number of at least 1, got 0"),
        (["expression", "-o", "x", "--slots", "1025"], "--slots: expected 1 to 1024, got 1025"),
        (["expression", "-o", "x", "--arena", "much"], "argument --arena: invalid"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.parse(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_show_lists_every_descriptor(files: dict[str, str]) -> None:
    shown = command.shown(Path(files["flow"])).splitlines()
    program = load_bundle(Path(files["flow"])).programs["flow"]
    head = next(i for i, line in enumerate(shown) if line.split()[:1] == ["#"])
    rows = [line.split() for line in shown[head + 1 : head + 9]]
    assert [row[0] for row in rows] == [str(i) for i in range(8)]
    assert rows[0][1:7] == ["32x16x24", "32x16x24", "3x3", "8", "1", "plain"]
    assert rows[1][1:7] == ["32x16x24", "128x8x12", "3x3", "2", "1", "space-to-depth"]
    assert rows[3][1:7] == ["128x4x6", "32x8x12", "3x3", "2", "1", "upsample"]
    assert rows[7][6:8] == ["sums", "(int32)"]
    text = "\n".join(shown)
    assert f"{program.macs:,} multiply-adds of the network itself; model: {program.model_cycles:,} cycles" in text
    assert f"{program.model_cycles / 1e5:.3f} ms at an assumed 100 MHz" in text
    assert "measured" not in text
    total = next(line.split() for line in shown if line.startswith("sum"))
    assert int(total[-1].replace(",", "")) == program.model_cycles
    assert total[1] == f"{sum(int(row[-3].replace(',', '')) for row in rows):,}"


def test_runs_without_the_packages_of_training() -> None:
    heavy = "{'torch', 'cv2', 'ai_edge_litert', 'PySide6'}"
    script = f"import sys, models.convert.bundle; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[]\n")
