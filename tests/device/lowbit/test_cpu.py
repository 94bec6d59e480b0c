# SPDX-License-Identifier: Apache-2.0
"""Backend `lowbit`: a program of a bundle gives what its layers give, on the kernels and on the emulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.errors import BackendError, BackendUnavailable
from device.lowbit.bundle_file import load_bundle, save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.cpu import LowbitBackend
from device.lowbit.descriptor import ErrorCode
from device.lowbit.library import CpuLibrary, Level
from device.lowbit.linker import link
from device.lowbit.machine import Emulator, Kernels, Machine
from device.lowbit.network import Network
from device.lowbit.program import BundleError
from models.card import load_card
from tests.device.lowbit.networks import Values, evaluate, pyramid, random_inputs, tall

NETWORKS = {network.name: network for network in (pyramid(), tall())}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a bundle of two programs with three slots."""
    path = tmp_path_factory.mktemp("bundle") / "both.json"
    save_bundle(link([compile_network(network) for network in NETWORKS.values()], slots=3), path)
    return path


def as_stored(inputs: dict[str, Values]) -> dict[str, np.ndarray]:
    return {name: values.astype(np.uint8) for name, values in inputs.items()}


def check_run(backend: LowbitBackend, network: Network, seed: int) -> None:
    """Assert that all outputs are those of the arithmetic by channel: codes as they are, raw sums as reals."""
    inputs = random_inputs(network, seed)
    expected, found = evaluate(network, inputs), backend.run(as_stored(inputs))
    layers = {layer.name: layer for layer in network.layers}
    for spec in backend.outputs:
        layer, got = layers[spec.name], found[spec.name]
        assert (got.shape, got.dtype.name) == (spec.shape, spec.dtype)
        if layer.scale is None or layer.bias is None:
            assert np.array_equal(got, expected[spec.name])
        else:
            real = layer.scale[:, None, None] * expected[spec.name] + layer.bias[:, None, None]
            np.testing.assert_allclose(got, real, rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_layers(both: Path, library: CpuLibrary, name: str) -> None:
    backend = LowbitBackend(both, name, Kernels(library, library.levels()[-1]))
    for seed in (1, 2):
        check_run(backend, NETWORKS[name], seed)


def test_emulator_runs_where_it_is_asked_for(both: Path) -> None:
    check_run(LowbitBackend(both, "pyramid", Emulator()), NETWORKS["pyramid"], 3)


def test_specs_are_those_of_the_ports(both: Path) -> None:
    backend = LowbitBackend(both, "pyramid", Emulator())
    assert [(s.name, s.shape, s.dtype) for s in backend.inputs] == [("image", (3, 12, 20), "uint8")]
    found = [(s.name, s.shape, s.dtype) for s in backend.outputs]
    assert found == [("fuse", (12, 6, 10), "uint8"), ("score", (7, 6, 10), "float32")]


def test_committed_network_gives_the_same_scores_everywhere(library: CpuLibrary) -> None:
    path = load_card("expression_w1a2").verified_path()
    face = {"face": np.random.default_rng(0).integers(0, 256, (4, 24, 24)).astype(np.uint8)}
    machines: list[Machine] = [Emulator(), *(Kernels(library, level) for level in library.levels())]
    scores = [LowbitBackend(path, machine=one).run(face)["score"] for one in machines]
    assert len(scores) >= 2
    assert all(np.array_equal(score, scores[0]) for score in scores)


def test_value_above_its_digits_is_refused(tmp_path: Path, library: CpuLibrary) -> None:
    network = pyramid()
    few = Network("few", (type(network.inputs[0])("image", (3, 12, 20), 2),), network.layers, network.outputs)
    save_bundle(link([compile_network(few)]), tmp_path / "few.json")
    for one in (Emulator(), Kernels(library, Level.PLAIN)):
        backend = LowbitBackend(tmp_path / "few.json", machine=one)
        with pytest.raises(ValueError, match=r"values: expected 0\.\.15, got 0\.\.16"):
            backend.run({"image": np.eye(3, 240, dtype=np.uint8).reshape(3, 12, 20) * 16})


def test_program_is_chosen_by_name(both: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"both\.json holds the programs pyramid, tall: expected one, or the"):
        LowbitBackend(both, machine=Emulator())
    with pytest.raises(BackendUnavailable, match=r"both\.json holds no program flow; it has pyramid, tall"):
        LowbitBackend(both, "flow", Emulator())
    save_bundle(link([compile_network(NETWORKS["pyramid"])]), tmp_path / "one.json")
    assert LowbitBackend(tmp_path / "one.json", machine=Emulator()).inputs[0].name == "image"


def test_damaged_image_is_refused_in_one_sentence(both: Path, tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    path.write_bytes(both.read_bytes().replace(b"both.bin", b"demo.bin"))
    path.with_suffix(".bin").write_bytes(both.with_suffix(".bin").read_bytes()[:-1])
    with pytest.raises(BundleError):
        load_bundle(path)
    wanted = rf"^{path} is not a model that backend lowbit can run \(bundle check 1: expected an image .*\)$"
    with pytest.raises(BackendUnavailable, match=wanted):
        LowbitBackend(path, "pyramid", Emulator())


def test_an_error_of_the_machine_is_told(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator()
    monkeypatch.setattr(emulator, "runner", lambda arena, descriptors: lambda: ErrorCode.BAD_TAG)
    backend = LowbitBackend(both, "pyramid", emulator)
    with pytest.raises(BackendError, match=r"both\.json: program pyramid stopped with BAD_TAG"):
        backend.run(as_stored(random_inputs(NETWORKS["pyramid"], 0)))


def test_layers_are_timed_apart_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    path = load_card("expression_w1a2").verified_path()
    backend = LowbitBackend(path)
    monkeypatch.setattr("device.lowbit.cpu.parts_of", lambda _program: [("inner layers", slice(None))])
    whole = LowbitBackend(path)
    face = np.random.default_rng(0).integers(0, 256, backend.inputs[0].shape).astype(np.uint8)
    assert backend.last_parts == ()
    (apart,), (together,) = (each.run({each.inputs[0].name: face}).values() for each in (backend, whole))
    assert np.array_equal(apart, together)
    names, begins, ends = zip(*backend.last_parts, strict=True)
    assert names == ("first layer", "inner layers", "last layer")
    assert begins[1:] == ends[:-1]
    assert all(begin < end for begin, end in zip(begins, ends, strict=True))
    assert [name for name, _, _ in whole.last_parts] == ["inner layers"]
