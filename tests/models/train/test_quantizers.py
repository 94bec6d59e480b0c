# SPDX-License-Identifier: Apache-2.0
"""Quantisers against their formulas, gradients included, and batch norm folded into thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

from device.lowbit.layout import THRESHOLD_MAX, THRESHOLD_MIN  # noqa: E402
from models.lowbit.fold import code, machine_pads, machine_weights, thresholds  # noqa: E402
from models.lowbit.modules import Activation, Convolution, Precision  # noqa: E402
from models.lowbit.quantizers import STEP, binary_weight, two_bit  # noqa: E402


def test_codes_are_rounded_half_up() -> None:
    value = torch.tensor([-9.0, -0.51, -0.5, -0.01, 0.0, 0.49, 0.5, 1.49, 1.5, 2.5, 3.4, 99.0], dtype=torch.float64)
    expected = [0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 3]  # rounding to even would give 2 for 1.5 and 2 for 2.5
    assert (two_bit(value, 1.0)).tolist() == expected


def test_gradient_of_the_activation_passes_between_the_ends() -> None:
    value = torch.tensor([-1.0, 0.1, 1.0, 3 * STEP - 0.01, 3 * STEP + 0.01], requires_grad=True)
    two_bit(value).sum().backward()
    assert value.grad is not None
    assert value.grad.tolist() == pytest.approx([0, 1, 1, 1, 0])


def test_binary_weights_are_scaled_signs() -> None:
    weight = torch.tensor([[0.5, -1.5], [0.0, 2.0]]).reshape(2, 2, 1, 1).requires_grad_()
    binary = binary_weight(weight)
    assert binary.flatten().tolist() == [1.0, -1.0, 1.0, 1.0]
    binary.backward(torch.tensor([1.0, 0.0, 0.0, 0.0]).reshape(2, 2, 1, 1))
    assert weight.grad is not None
    # alpha through the sign's estimator, and the sign through alpha: 1 + 1/2 and -1/2 for its neighbour
    assert weight.grad.flatten().tolist() == [1.5, -0.5, 0.0, 0.0]


@given(
    a=st.floats(1e-6, 10),
    b=st.floats(-1e4, 1e4),
    step=st.sampled_from([STEP, 1.0, 0.1]),
)
def test_codes_step_exactly_at_the_thresholds(a: float, b: float, step: float) -> None:
    slope, offset = np.array([a]), np.array([b])
    t = thresholds(slope, offset, step)[0]
    assert THRESHOLD_MIN <= t[0] <= t[1] <= t[2] <= THRESHOLD_MAX
    for j, limit in enumerate(t.tolist(), 1):
        if THRESHOLD_MIN < limit < THRESHOLD_MAX:
            assert code(slope * limit + offset, step)[0] >= j
            assert code(slope * (limit - 1) + offset, step)[0] < j


def test_a_channel_without_slope_is_constant() -> None:
    t = thresholds(np.zeros(3), np.array([-1.0, 1.6 * STEP, 99.0]), STEP)
    low, high = THRESHOLD_MIN, THRESHOLD_MAX
    assert t.tolist() == [[high, high, high], [low, low, high], [low, low, low]]


@pytest.mark.parametrize(("kernel", "stride", "side"), [(1, 1, 6), (3, 1, 7), (2, 2, 8), (6, 2, 12), (6, 1, 6)])
def test_machine_forms_equal_the_convolution(kernel: int, stride: int, side: int) -> None:
    """Space-to-depth by hand, then the machine's weights with stride 1."""
    torch.manual_seed(kernel + stride)
    convolution = Convolution(3, 5, kernel, stride, bias=False, precision=Precision.W1A2)
    x = torch.randint(0, 4, (1, 3, side, side)).float()
    scale = convolution.weight.detach().abs().mean((1, 2, 3)).reshape(1, 5, 1, 1)
    expected = convolution(x).detach() / scale
    if kernel % 2 == 0:
        quarters = [x[:, :, dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)]
        x = torch.cat(quarters, 1)
    top, bottom, left, right = machine_pads(convolution)
    x = torch.nn.functional.pad(x, (left, right, top, bottom))
    found = torch.nn.functional.conv2d(x, torch.from_numpy(machine_weights(convolution)).float())
    assert torch.allclose(found, expected, atol=1e-4)


def test_forms_that_the_machine_lacks_are_refused() -> None:
    for kernel, stride in ((5, 1), (3, 2), (4, 2), (1, 2)):
        with pytest.raises(ValueError, match="expected one of"):
            Convolution(3, 5, kernel, stride, bias=False, precision=Precision.FLOAT)


def test_a_float_activation_is_a_relu() -> None:
    x = torch.tensor([-1.0, 0.3, 7.0])
    assert Activation(Precision.FLOAT)(x).tolist() == pytest.approx([0, 0.3, 7.0])
