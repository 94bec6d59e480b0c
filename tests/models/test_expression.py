# SPDX-License-Identifier: Apache-2.0
"""The committed expression networks through the class the program runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from app.backends import resolve_backend
from app.build import Networks
from app.sources.synthetic import Synthetic
from device.backend import Tensors, TensorSpec
from models.card import load_card
from models.expression import SIZE, ExpressionClassifier, grey_crop, quarters
from models.fetch import FetchError, fetched
from models.results import Float32, Image

PRECISIONS = ("float", "int8", "w1a2")
IN_TFLITE = ("float", "int8")
MEDIAN_PROB_STEP = 0.03


@pytest.fixture(scope="module")
def networks() -> Iterator[Networks]:
    with Networks() as found:
        yield found


@pytest.fixture(params=PRECISIONS)
def network(request: pytest.FixtureRequest, networks: Networks) -> ExpressionClassifier:
    return networks.expression(resolve_backend("auto", request.param), request.param)


@pytest.fixture(scope="module")
def astronaut() -> Image:
    try:
        path = fetched("astronaut.png")
    except FetchError as error:
        pytest.skip(str(error))
    return np.asarray(cv2.imread(str(path)), np.uint8)[:, :, ::-1].copy()


@pytest.fixture(scope="module")
def astronaut_box(networks: Networks, astronaut: Image) -> Float32:
    return networks.face_detector("blazeface_short")(astronaut).xyxy


@pytest.fixture(scope="module")
def faces(astronaut: Image, astronaut_box: Float32) -> Image:
    """Return (N, 48, 48): the drawn faces of the synthetic scene, and the astronaut cut and lit in many ways."""
    source, drawn = Synthetic(3, pace="max"), []
    for _ in range(20):
        frame = source.read()
        if frame.truth is not None:
            drawn += [grey_crop(frame.image, box) for box in frame.truth.xyxy]
    source.close()
    random, photographed = np.random.default_rng(0), []
    side = float(astronaut_box[0, 2] - astronaut_box[0, 0])
    for _ in range(40):
        box = astronaut_box[0] + random.normal(0, 0.03 * side, 4).astype(np.float32)
        lit = grey_crop(astronaut, box) * random.uniform(0.6, 1.1) + random.uniform(-20, 20)
        photographed.append(np.clip(lit, 0, 255).astype(np.uint8))
    return np.stack([*drawn, *photographed])


def test_rows_sum_to_one(network: ExpressionClassifier, faces: Image) -> None:
    prob = np.stack([network.classify_grey(face) for face in faces[::5]])
    assert prob.shape[1] == len(network.labels) == 7
    assert prob.dtype == np.float32
    assert (prob >= 0).all()
    np.testing.assert_allclose(prob.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_picture_is_still_a_distribution(network: ExpressionClassifier, level: int) -> None:
    prob = network.classify_grey(np.full((SIZE, SIZE), level, np.uint8))
    assert np.isfinite(prob).all()
    assert prob.sum() == pytest.approx(1, abs=1e-5)


def test_no_face_is_no_row(network: ExpressionClassifier) -> None:
    scores = network(np.zeros((20, 30, 3), np.uint8), np.zeros((0, 4), np.float32))
    assert scores.prob.shape == (0, 7)
    assert scores.labels == load_card("expression_float").labels


def test_every_row_is_its_own_face(network: ExpressionClassifier, astronaut: Image, astronaut_box: Float32) -> None:
    other = np.array([[300, 300, 400, 400]], np.float32)
    both = network(astronaut, np.concatenate([other, astronaut_box])).prob
    np.testing.assert_array_equal(both[0], network(astronaut, other).prob[0])
    np.testing.assert_array_equal(both[1], network(astronaut, astronaut_box).prob[0])
    assert not np.array_equal(both[0], both[1])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_smiling_astronaut_is_happy(
    networks: Networks, precision: str, astronaut: Image, astronaut_box: Float32
) -> None:
    scores = networks.expression(resolve_backend("auto", precision), precision)(astronaut, astronaut_box)
    assert len(scores.prob) == 1
    assert scores.labels[int(scores.prob[0].argmax())] == "happy"


def test_int8_agrees_with_float(networks: Networks, faces: Image) -> None:
    float_prob, int8_prob = (
        np.stack([networks.expression("cpu", precision).classify_grey(face) for face in faces])
        for precision in IN_TFLITE
    )
    assert len(faces) >= 60
    assert (float_prob.argmax(1) == int8_prob.argmax(1)).mean() >= 0.9
    assert np.median(np.abs(float_prob - int8_prob).max(axis=1)) < MEDIAN_PROB_STEP


def test_table_look_up_is_direct_quantisation(network: ExpressionClassifier) -> None:
    """0..255 lies on the range of the card; stored = round(real / scale + zero point), limited to the type."""
    spec, (low, high) = network._backend.inputs[0], network.card.input["range"]
    table = network._input_of_grey
    assert table.dtype == np.dtype(spec.dtype)
    for grey in range(256):
        real = low + grey * (high - low) / 255
        if network.card.precision == "w1a2":
            assert table[grey] == grey
        elif spec.scale:
            exact = min(127, max(-128, real / spec.scale + spec.zero_point))
            assert abs(int(table[grey]) - exact) <= 0.5 + 1e-4
        else:
            assert table[grey] == pytest.approx(real, abs=1e-6)


@pytest.mark.parametrize("xyxy", [[0, 0, 0, 0], [-900, -900, -800, -800], [0, 0, 5e4, 5e4], [3, 3, 3.2, 3.1]])
def test_odd_boxes_give_a_distribution(network: ExpressionClassifier, xyxy: list[float]) -> None:
    scores = network(np.full((480, 640, 3), 90, np.uint8), np.array([xyxy], np.float32))
    assert scores.prob.sum() == pytest.approx(1, abs=1e-5)


class Still:
    """A backend of given tensors that is never run."""

    name = "still"

    def __init__(self, source: TensorSpec) -> None:
        self.inputs: tuple[TensorSpec, ...] = (source,)
        self.outputs: tuple[TensorSpec, ...] = (TensorSpec("prob", (1, 7), "float32"),)

    def run(self, inputs: Tensors) -> Tensors:
        raise AssertionError("not for running")

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "range_", "expected"),
    [
        ("float32", 0.0, 0, [0, 1], np.arange(256, dtype=np.float32) / 255),
        ("float32", 0.0, 0, [-1, 1], np.arange(256, dtype=np.float32) / 127.5 - 1),
        ("int8", 1 / 255, -128, [0, 1], np.arange(256) - 128),
        ("uint8", 0.0, 0, [0, 255], np.arange(256)),
    ],
)
def test_input_range_is_that_of_the_card(
    dtype: str, scale: float, zero_point: int, range_: list[float], expected: Float32
) -> None:
    card = replace(load_card("expression_float"), input={"size": SIZE, "range": range_})
    network = ExpressionClassifier(card, Still(TensorSpec("grey", (1, SIZE, SIZE, 1), dtype, scale, zero_point)))
    np.testing.assert_array_equal(network._input_of_grey, expected)


def test_low_bit_input_is_the_four_quarters_of_the_face() -> None:
    grey = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 256
    found = quarters(grey.astype(np.uint8))
    assert found.shape == (4, SIZE // 2, SIZE // 2)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.testing.assert_array_equal(found[2 * row + column], grey[row::2, column::2])


def test_scores_become_probabilities(networks: Networks, faces: Image) -> None:
    """A low-bit program ends in 4 planes of scores: the softmax of their sums."""
    network = networks.expression("lowbit", "w1a2")
    face = {"face": quarters(faces[0])}
    exact = network._backend.run(face)["score"].reshape(4, 7).sum(0, dtype=np.float64)
    np.testing.assert_allclose(network.classify_grey(faces[0]), np.exp(exact) / np.exp(exact).sum(), rtol=1e-5)


@pytest.mark.parametrize("precision", IN_TFLITE)
def test_committed_file_has_only_the_operators_of_its_card(precision: str) -> None:
    """No TRANSPOSE above all: left by a conversion, it costs time on every frame."""
    card = load_card(f"expression_{precision}")
    no_delegate = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # it would stand in the list beside them
    opened = Interpreter(str(card.path()), experimental_op_resolver_type=no_delegate)
    found = [op["op_name"] for op in opened._get_ops_details()]
    assert "TRANSPOSE" not in found
    assert {name: found.count(name) for name in set(found)} == card.fields["operators"]
