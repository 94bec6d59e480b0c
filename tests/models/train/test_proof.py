# SPDX-License-Identifier: Apache-2.0
"""PyTorch, QONNX and the emulator give the same integers layer by layer, and the comparison notices what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.lowbit.bundle_file import load_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.linker import link
from device.lowbit.network import Layer, Network
from tests.conftest import need

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

import onnx  # noqa: E402
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.core.onnx_exec import execute_onnx  # noqa: E402
from qonnx.transformation.infer_datatypes import InferDataTypes  # noqa: E402

from models.card import WEIGHTS  # noqa: E402
from models.convert import proof  # noqa: E402
from models.convert.expression import SLOTS  # noqa: E402
from models.convert.proof import Emulated, Exported, ProofError, Tally, Trained, is_equal, prove, whole  # noqa: E402
from models.convert.qonnx_export import INPUT, OUTPUT, export_qonnx  # noqa: E402
from models.lowbit.fold import fold  # noqa: E402
from models.lowbit.modules import Precision  # noqa: E402
from models.lowbit.quantizers import STEP  # noqa: E402
from models.lowbit.trained import load_trained  # noqa: E402
from models.nets.expression import SHAPE, ExpressionNet, Shape  # noqa: E402

pytestmark = pytest.mark.timeout(300)
TRAINED = WEIGHTS / "expression_w1a2.npz"

NARROW: Shape = ((8, 6, 2), (16, 3, 1), (40, 2, 2), (33, 3, 1), (24, 1, 1), (16, 6, 2), (8, 3, 1))
LAYERS = [*(f"conv{number}" for number in range(1, 8)), "score"]

channels = st.integers(2, 40)
down = st.tuples(channels, st.sampled_from((2, 6)), st.just(2))
stay = st.lists(st.tuples(channels, st.sampled_from((1, 3)), st.just(1)), max_size=2)
shapes = st.tuples(down, stay, down, stay, down, stay).map(
    lambda parts: (parts[0], *parts[1], parts[2], *parts[3], parts[4], *parts[5])
)
"""From 48x48 to 6x6 pixels in every form that the machine has."""


def random_net(seed: int, shape: Shape = NARROW) -> ExpressionNet:
    """Return an untrained network whose batch norms are irregular: slopes of both signs, one zero, one very steep."""
    torch.manual_seed(seed)
    net = ExpressionNet(Precision.W1A2, shape).train()
    for block in net.features:
        block.norm.momentum = 1.0
    with torch.no_grad():
        net(torch.rand(8, 1, 48, 48))  # running figures near what the layers see
        for block in net.features:
            norm = block.norm
            norm.weight.uniform_(-1.5, 1.5)
            norm.bias.normal_(0.4, 0.5)
            norm.running_mean += 0.2 * torch.randn_like(norm.running_mean) * norm.running_var.sqrt()
            norm.running_var *= torch.rand_like(norm.running_var) + 0.5
            norm.weight[0] = 0
            norm.running_var[-1] *= 1e-6
            block.convolution.weight.view(-1)[:2] = torch.tensor([0.0, -0.0])  # both count as +1
    return net.eval()


def pictures(seed: int, n: int = 3) -> NDArray[np.uint8]:
    """Return (n, 48, 48): noise of several strengths on a ramp; the first is black, the second white."""
    random = np.random.default_rng(seed)
    ramp = np.linspace(0, 255, 48)[None, :, None] * random.random((n, 1, 1))
    grey = np.clip(ramp + random.normal(0, 1, (n, 48, 48)) * random.uniform(5, 80, (n, 1, 1)), 0, 255)
    grey[0], grey[1] = 0, 255
    return grey.astype(np.uint8)


def changed(network: Network, name: str, change: Callable[[Layer], Layer]) -> Network:
    """Return `network` with one of its layers changed."""
    return replace(network, layers=tuple(change(x) if x.name == name else x for x in network.layers))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), shape=shapes)
def test_three_implementations_give_the_same_integers(seed: int, shape: Shape) -> None:
    report = prove(random_net(seed, shape), pictures(seed), batch=3)
    assert is_equal(report), report
    assert report["layers"] == len(shape) + 1
    assert list(report["mismatches"]["pytorch"]) == list(report["mismatches"]["qonnx"])


def test_every_code_of_every_layer_is_used() -> None:
    net, grey = random_net(1), pictures(1, 5)
    report = prove(net, grey, batch=2)  # the last batch is not full
    assert is_equal(report), report
    assert report["margin_steps"] > 1e-9  # float64 errs by 1e-13: no rounding decided a code
    values = Emulated(fold(net))(grey).values
    assert report["values"] == sum(value.size for value in values.values())
    assert list(report["mismatches"]["qonnx"]) == list(values) == LAYERS
    for name in LAYERS[:-1]:
        assert np.bincount(values[name].ravel(), minlength=4).min() > 0.01 * values[name].size, name


def test_a_tie_rounds_up_everywhere() -> None:
    net = random_net(2).double()  # float32 cannot hold (j - 1/2) * STEP
    position = torch.arange(-2, 6, dtype=torch.float64) / 2  # in steps: -1 -0.5 0 0.5 1 1.5 2 2.5
    norm = net.features[0].norm
    with torch.no_grad():
        norm.weight[:] = 0
        norm.bias[:] = position * STEP
    grey = pictures(2)
    for implementation in (Emulated(fold(net)), Trained(net), Exported(net, 3)):
        codes = implementation(grey).values["conv1"]
        assert (codes == np.array([0, 0, 0, 1, 1, 2, 2, 3])[None, :, None, None]).all()


def test_real_faces() -> None:
    with np.load(need("fer2013/train_public.npz")) as file:
        grey = file["X"][file["usage"] == 1][:16]
    for net in (random_net(3, SHAPE), load_trained(TRAINED)):
        report = prove(net, grey, batch=8)
        assert report["faces"] == 16
        assert is_equal(report), report


def test_the_committed_program_is_the_proven_network() -> None:
    """The file that the program runs is, byte for byte, what folding and linking the proven network gives."""
    committed = load_bundle(WEIGHTS / "expression_w1a2.json")
    made = link([compile_network(fold(load_trained(TRAINED)))], SLOTS)
    assert np.array_equal(made.image, committed.image)
    assert made.programs == committed.programs


def raised(layer: Layer) -> Layer:
    """One threshold of one channel higher by one."""
    assert layer.thresholds is not None
    thresholds = layer.thresholds.copy()
    channel = int(np.abs(thresholds[:, 2]).argmin())
    thresholds[channel, 2] += 1
    return replace(layer, thresholds=thresholds)


def flipped(layer: Layer) -> Layer:
    """One weight of the other sign."""
    weights = layer.weights.copy()
    weights[1, 2, 0, 0] *= -1  # input 2 is seldom 0 with this seed; a bit that meets only zeros changes nothing
    return replace(layer, weights=weights)


def swapped(layer: Layer) -> Layer:
    """Two quarters of a space-to-depth in the wrong order."""
    quarter = layer.weights.shape[1] // 4
    order = np.r_[0:quarter, 2 * quarter : 3 * quarter, quarter : 2 * quarter, 3 * quarter : 4 * quarter]
    return replace(layer, weights=np.ascontiguousarray(layer.weights[:, order]))


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        *(("conv2", raised), ("conv5", raised)),
        *(("conv1", flipped), ("conv4", flipped), ("score", flipped)),
        *(("conv1", swapped), ("conv6", swapped), ("score", swapped)),
    ],
)
def test_a_planted_bug_is_found_in_its_layer(name: str, bug: Callable[[Layer], Layer]) -> None:
    net = random_net(6)
    report = prove(net, pictures(4, 6), changed(fold(net), name, bug), batch=6)
    assert not is_equal(report)
    for mismatches in report["mismatches"].values():
        before = LAYERS[: LAYERS.index(name)]
        assert [mismatches[layer] for layer in before] == [0] * len(before)
        assert mismatches[name] > 0


def test_other_layers_or_shapes_are_an_error_and_no_equality() -> None:
    net, grey = random_net(5), pictures(5)
    expected = Emulated(fold(net))(grey)
    missing = replace(expected, values={name: value for name, value in expected.values.items() if name != "conv3"})
    with pytest.raises(ProofError, match="conv3"):
        Tally().add(missing, expected)
    smaller = replace(expected, values={**expected.values, "conv3": expected.values["conv3"][:, :1]})
    with pytest.raises(ProofError, match="conv3: expected the shape"):
        Tally().add(smaller, expected)


@pytest.mark.parametrize("value", [0.5, 2.0001, float("nan")])
def test_what_is_no_whole_number_is_an_error(value: float) -> None:
    with pytest.raises(ProofError, match="conv1: expected whole numbers"):
        whole("conv1", torch.tensor([1.0, value]))


def test_the_file_is_legal_and_qonnx_knows_its_types(tmp_path: Path) -> None:
    path, grey = tmp_path / "net.onnx", pictures(6)
    net = random_net(6)
    export_qonnx(net, path, batch=3)
    onnx.checker.check_model(onnx.load(path), full_check=False)
    model = ModelWrapper(str(path))
    plain = execute_onnx(model, {INPUT: grey[:, None].astype(np.float32)})[OUTPUT]
    typed = model.transform(InferDataTypes())
    for name in LAYERS[:-1]:
        assert typed.get_tensor_datatype(name).name == "UINT2"
        assert typed.get_tensor_datatype(f"{name}.signs").name == "BIPOLAR"
        assert typed.get_tensor_datatype(f"{name}.sum").name == "INT32"
    # With types known, qonnx itself checks before and after every node that the values are of them.
    assert np.array_equal(execute_onnx(typed, {INPUT: grey[:, None].astype(np.float32)})[OUTPUT], plain)
    assert np.abs(plain - Trained(net)(grey).scores).max() < 1e-9


def test_command_prints_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(random_net(6).state_dict(), tmp_path / "weights.pt")
    n = 12
    usage = (np.arange(n) % 2).astype(np.int8)
    votes = np.zeros((n, 10), np.int8)
    label = np.zeros(n, np.int8)
    np.savez(tmp_path / "faces.npz", X=pictures(7, n), y=label, usage=usage, ferplus_votes=votes, clean=usage == 1)
    arguments = ["proof", "--weights", str(tmp_path / "weights.pt"), "--data", str(tmp_path / "faces.npz")]
    monkeypatch.setattr("sys.argv", [*arguments, "--faces", "4"])
    monkeypatch.setattr(proof, "BATCH", 4)
    assert proof.main() == 0
    report = json.loads(capsys.readouterr().out)
    assert report["faces"] == 4
    assert report["same_class"] == {"pytorch": 1.0, "qonnx": 1.0}
    monkeypatch.setattr(proof, "fold", lambda net: changed(fold(net), "conv1", flipped))
    assert proof.main() == 1
    monkeypatch.setattr("sys.argv", ["proof", "--weights", str(tmp_path / "absent.pt")])
    with pytest.raises(SystemExit):
        proof.main()
    monkeypatch.setattr("sys.argv", [*arguments, "--faces", "0"])
    with pytest.raises(SystemExit):
        proof.main()
