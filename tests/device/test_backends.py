# SPDX-License-Identifier: Apache-2.0
"""What every backend keeps, on the committed expression networks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from device.backend import Backend, Tensors
from device.errors import BackendError, BackendUnavailable
from device.lowbit.bundle_file import save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.linker import link
from device.registry import BACKENDS, OF_BUNDLES, is_simulated, open_backend, probe_backend
from models.card import WEIGHTS, load_card
from models.convert.bundle import make
from tests.device.lowbit.networks import pyramid
from tests.device.software_gpu import use_software_gpu

PAIRS = (
    ("cpu", "expression_float"),
    ("cpu", "expression_int8"),
    ("gpu", "expression_int8"),
    ("lowbit", "expression_w1a2"),
    ("fpga", "expression_w1a2"),
    ("fpga-sim", "expression_w1a2"),
)
TENSORS = {  # precision: types and shapes of input and output
    "float": ("float32", (1, 48, 48, 1), "float32", (1, 7)),
    "int8": ("int8", (1, 48, 48, 1), "int8", (1, 7)),
    "w1a2": ("uint8", (4, 24, 24), "float32", (28, 1, 1)),
}


@pytest.fixture(params=PAIRS, ids="-".join)
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Backend, str]]:
    name, card = request.param
    if name == "gpu":
        use_software_gpu(monkeypatch)
    expect_here(name)
    backend = open_backend(name, load_card(card).path())
    yield backend, card
    backend.close()


def expect_here(name: str) -> None:
    """Skip with the reason where a backend cannot run."""
    try:
        probe_backend(name)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def test_every_backend_is_here() -> None:
    assert {name for name, _ in PAIRS} == set(BACKENDS)


def grey_levels(backend: Backend, seed: int = 0) -> Tensors:
    """Return one random input of the backend's own type."""
    spec = backend.inputs[0]
    random = np.random.default_rng(seed)
    if spec.dtype == "float32":
        return {spec.name: random.uniform(0, 1, spec.shape).astype(np.float32)}
    limits = np.iinfo(spec.dtype)
    return {spec.name: random.integers(limits.min, limits.max + 1, spec.shape).astype(spec.dtype)}


def reals(backend: Backend, outputs: Tensors) -> np.ndarray:
    spec = backend.outputs[0]
    stored = outputs[spec.name].astype(np.float32)
    return spec.scale * (stored - spec.zero_point) if spec.scale else stored


def test_specs_agree_with_the_card(opened: tuple[Backend, str]) -> None:
    backend, name = opened
    card = load_card(name)
    (source,), (target,) = backend.inputs, backend.outputs
    assert backend.name in BACKENDS
    assert (source.dtype, source.shape, target.dtype, target.shape) == TENSORS[card.precision]
    for spec in (source, target):
        assert (spec.scale > 0) == (card.precision == "int8")
    if source.scale:  # the calibration may cut little of the card's range: at most a tenth at either end
        low, high = (source.scale * (stored - source.zero_point) for stored in (-128, 127))
        lowest, highest = card.input["range"]
        tenth = 0.1 * (highest - lowest)
        assert abs(low - lowest) < tenth
        assert abs(high - highest) < tenth


def test_gives_what_its_specs_say_and_the_same_again(opened: tuple[Backend, str]) -> None:
    backend, card = opened
    first = backend.run(grey_levels(backend))
    again = backend.run(grey_levels(backend))
    assert {name: array.shape for name, array in first.items()} == {s.name: s.shape for s in backend.outputs}
    assert {name: array.dtype.name for name, array in first.items()} == {s.name: s.dtype for s in backend.outputs}
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    if load_card(card).precision != "w1a2":  # a low-bit program ends in scores, the others in a softmax
        assert reals(backend, first).sum() == pytest.approx(1, abs=7 * (backend.outputs[0].scale or 1e-6))


def test_outputs_stay_when_the_next_frame_is_run(opened: tuple[Backend, str]) -> None:
    backend, _ = opened
    name = backend.outputs[0].name
    first = backend.run(grey_levels(backend, 0))[name]
    kept = first.copy()
    other = backend.run({k: np.zeros_like(v) for k, v in grey_levels(backend).items()})[name]
    assert not np.array_equal(other, kept)
    np.testing.assert_array_equal(first, kept)


def test_wrong_shape_is_refused(opened: tuple[Backend, str]) -> None:
    backend, _ = opened
    spec = backend.inputs[0]
    narrow = (*spec.shape[:-2], spec.shape[-2] - 1, spec.shape[-1])
    with pytest.raises(ValueError, match=f"expected {re.escape(str(spec.shape))} .*, got {re.escape(str(narrow))}"):
        backend.run({spec.name: np.zeros(narrow, spec.dtype)})


def test_wrong_type_is_refused(opened: tuple[Backend, str]) -> None:
    backend, _ = opened
    spec = backend.inputs[0]
    with pytest.raises(ValueError, match=rf"{spec.dtype}, got .* float64"):
        backend.run({spec.name: np.zeros(spec.shape, np.float64)})


@pytest.mark.parametrize("names", [(), ("other",), ("own", "other")])
def test_wrong_names_are_refused(opened: tuple[Backend, str], names: tuple[str, ...]) -> None:
    backend, _ = opened
    spec = backend.inputs[0]
    inputs = {spec.name if name == "own" else name: np.zeros(spec.shape, spec.dtype) for name in names}
    with pytest.raises(ValueError, match="inputs: expected the tensors"):
        backend.run(inputs)


def test_close_twice_then_run_is_an_error(opened: tuple[Backend, str]) -> None:
    backend, name = opened
    inputs = grey_levels(backend)
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match=rf"{load_card(name).file}.* was closed; open it again"):
        backend.run(inputs)


def test_unknown_backend_is_refused_with_the_known_ones() -> None:
    for call in (lambda: open_backend("npu", WEIGHTS / "expression_int8.tflite"), lambda: probe_backend("npu")):
        with pytest.raises(
            BackendUnavailable,
            match="backend npu is not part of this version; available: cpu, gpu, lowbit, fpga, fpga-sim",
        ):
            call()


def test_probe_says_what_runs_the_networks() -> None:
    assert probe_backend("cpu") == "LiteRT"


def test_a_simulation_is_known_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_FPGA", raising=False)
    assert [name for name in BACKENDS if is_simulated(name)] == ["fpga-sim"]
    monkeypatch.setenv("EDGE_FPGA", "file:/nowhere/board")
    assert [name for name in BACKENDS if is_simulated(name)] == ["fpga", "fpga-sim"]


@pytest.fixture(scope="module")
def two_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as the converter makes it: the expression network and another."""
    folder = tmp_path_factory.mktemp("two")
    save_bundle(link([compile_network(pyramid())]), folder / "pyramid.json")
    make(["expression", str(folder / "pyramid.json")], folder / "two.json")
    return folder / "two.json"


@pytest.mark.parametrize("name", OF_BUNDLES)
def test_the_networks_of_a_bundle_take_turns_and_give_what_they_give_alone(name: str, two_networks: Path) -> None:
    expect_here(name)
    alone = {
        "expression": open_backend("lowbit", load_card("expression_w1a2").verified_path()),
        "pyramid": open_backend("lowbit", two_networks.with_name("pyramid.json")),
    }
    bundled = {program: open_backend(name, two_networks, program) for program in alone}
    for seed in range(2):
        for program, backend in bundled.items():
            inputs = grey_levels(alone[program], seed)
            found = backend.run(inputs)
            for tensor, expected in alone[program].run(inputs).items():
                np.testing.assert_array_equal(found[tensor], expected)
    for backend in bundled.values():
        backend.close()


@pytest.mark.parametrize("name", OF_BUNDLES)
def test_a_bundle_without_the_name_of_a_program_is_refused_with_those_it_has(name: str, two_networks: Path) -> None:
    assert set(json.loads(two_networks.read_bytes())["programs"]) == {"expression", "pyramid"}
    with pytest.raises(BackendUnavailable, match=r"two\.json holds the programs expression, pyramid: expected one"):
        open_backend(name, two_networks)
    with pytest.raises(BackendUnavailable, match=r"two\.json holds no program flow; it has expression, pyramid"):
        open_backend(name, two_networks, "flow")


def test_a_tflite_file_has_no_programs() -> None:
    path = load_card("expression_int8").path()
    for name in ("cpu", "gpu"):
        wanted = f"holds one network for backend {name}; open it without a program's name"
        with pytest.raises(BackendUnavailable, match=wanted):
            open_backend(name, path, "expression")


LOWBIT_FILE = "expression_w1a2.json"
WHOLE = {**dict.fromkeys(("cpu", "gpu"), "expression_int8.tflite"), **dict.fromkeys(OF_BUNDLES, LOWBIT_FILE)}
BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "text": lambda whole: b"this is not a network\n",
    "zeros": lambda whole: bytes(4096),
    "half": lambda whole: whole[: len(whole) // 2],
    "head": lambda whole: whole[:64],
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("content", BROKEN)
def test_file_that_is_no_model_is_refused_in_one_sentence(tmp_path: Path, backend: str, content: str) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(BROKEN[content]((WEIGHTS / WHOLE[backend]).read_bytes()))
    assert_refused(backend, path)


@pytest.mark.parametrize("backend", BACKENDS)
def test_missing_file_and_folder_are_refused_in_one_sentence(tmp_path: Path, backend: str) -> None:
    assert_refused(backend, tmp_path / "nowhere.tflite")
    assert_refused(backend, tmp_path)


def assert_refused(backend: str, path: Path) -> None:
    with pytest.raises(BackendUnavailable) as caught:
        open_backend(backend, path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "is not a model" in sentence
    assert "\n" not in sentence
