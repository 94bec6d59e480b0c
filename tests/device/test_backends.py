# SPDX-License-Identifier: Apache-2.0
"""What every backend keeps, on the committed expression networks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from device.backend import Backend, Tensors
from device.errors import BackendError, BackendUnavailable
from device.registry import BACKENDS, open_backend
from models.card import WEIGHTS, load_card

CARDS = ("expression_float", "expression_int8")


@pytest.fixture(params=product(BACKENDS, CARDS), ids=lambda pair: "-".join(pair))
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[Backend, str]]:
    name, card = request.param
    backend = open_backend(name, load_card(card).path())
    yield backend, card
    backend.close()


def grey_levels(backend: Backend, seed: int = 0) -> Tensors:
    """Return one random input of the backend's own type."""
    spec = backend.inputs[0]
    random = np.random.default_rng(seed)
    if spec.dtype == "float32":
        return {spec.name: random.uniform(-1, 1, spec.shape).astype(np.float32)}
    return {spec.name: random.integers(-128, 128, spec.shape).astype(spec.dtype)}


def probabilities(backend: Backend, outputs: Tensors) -> np.ndarray:
    spec = backend.outputs[0]
    stored = outputs[spec.name].astype(np.float32)
    return spec.scale * (stored - spec.zero_point) if spec.scale else stored


def test_specs_agree_with_the_card(opened: tuple[Backend, str]) -> None:
    backend, name = opened
    card = load_card(name)
    (source,), (target,) = backend.inputs, backend.outputs
    assert backend.name in BACKENDS
    assert source.shape == (1, card.input["size"], card.input["size"], 1)
    assert target.shape == (1, len(card.labels))
    assert {source.dtype, target.dtype} == {"float32" if card.precision == "float" else card.precision}
    for spec in (source, target):
        assert (spec.scale > 0) == (card.precision == "int8")
    if source.scale:  # the calibration may cut little of the card's range: at most a tenth at either end
        low, high = (source.scale * (stored - source.zero_point) for stored in (-128, 127))
        lowest, highest = card.input["range"]
        tenth = 0.1 * (highest - lowest)
        assert abs(low - lowest) < tenth
        assert abs(high - highest) < tenth


def test_gives_probabilities_and_the_same_ones_again(opened: tuple[Backend, str]) -> None:
    backend, _ = opened
    first = backend.run(grey_levels(backend))
    again = backend.run(grey_levels(backend))
    assert {name: array.shape for name, array in first.items()} == {s.name: s.shape for s in backend.outputs}
    assert {name: array.dtype.name for name, array in first.items()} == {s.name: s.dtype for s in backend.outputs}
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert probabilities(backend, first).sum() == pytest.approx(1, abs=7 * (backend.outputs[0].scale or 1e-6))


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
    with pytest.raises(ValueError, match=r"expected \(1, 48, 48, 1\) .*, got \(1, 48, 47, 1\)"):
        backend.run({spec.name: np.zeros((1, 48, 47, 1), spec.dtype)})


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
    with pytest.raises(BackendError, match=rf"{name}\.tflite was closed"):
        backend.run(inputs)


@pytest.mark.parametrize("name", CARDS)
def test_backends_agree_within_a_step(name: str) -> None:
    """Same tensors in, equal out within one step of the output's scale, on whatever runs the file."""
    reference = open_backend("cpu", load_card(name).path())
    step = reference.outputs[0].scale or 1e-4
    for other in BACKENDS:
        backend = open_backend(other, load_card(name).path())
        for seed in range(5):
            expected = probabilities(reference, reference.run(grey_levels(reference, seed)))
            found = probabilities(backend, backend.run(grey_levels(backend, seed)))
            np.testing.assert_allclose(found, expected, atol=step * 1.01)
        backend.close()
    reference.close()


def test_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BackendUnavailable, match="backend fpga is not part of this version; available: cpu"):
        open_backend("fpga", WEIGHTS / "expression_int8.tflite")


WHOLE = (WEIGHTS / "expression_int8.tflite").read_bytes()
BROKEN = {
    "empty": b"",
    "text": b"this is not a network\n",
    "zeros": bytes(4096),
    "half": WHOLE[: len(WHOLE) // 2],
    "head": WHOLE[:64],
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("content", BROKEN)
def test_file_that_is_no_model_is_refused_in_one_sentence(tmp_path: Path, backend: str, content: str) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(BROKEN[content])
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
