# SPDX-License-Identifier: Apache-2.0
"""The GPU is used only where it gives what the CPU gives, and no driver stops the program."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.samples import sample
from device import gpu_process
from device.backend import Tensors, TensorSpec
from device.errors import BackendError, BackendUnavailable, DeviceTimeout
from device.gpu import GpuBackend, difference, picture, probe_gpu
from device.gpu_process import one_line, refusal
from device.guarded import GuardedBackend
from device.tflite import TfliteBackend
from device.vulkan import Adapter
from models.card import Card, load_card
from tests.device.software_gpu import use_software_gpu

NETWORKS = ("expression_float", "expression_int8", "flow_int8", "blazeface_short")
"""A few: `python -m app.bench.gpu_table` has all, a run of the larger ones takes half a second in software."""


def stand_in(name: str) -> str:
    return f"tests.device.gpu_stand_ins:{name}"


@pytest.fixture(params=("expression_float", "expression_int8"))
def card(request: pytest.FixtureRequest) -> Card:
    return load_card(request.param)


def opened(name: str, card_name: str = "expression_float") -> GpuBackend:
    return GpuBackend(load_card(card_name).path(), driver=stand_in(name))


def inputs_of(backend: GpuBackend) -> Tensors:
    return {spec.name: picture(spec) for spec in backend.inputs}


def is_gone(pid: int) -> bool:
    """Whether a process has ended, and was waited for."""
    return not Path(f"/proc/{pid}").exists()


def pid_of(backend: GpuBackend) -> int:
    assert backend._process is not None
    return backend._process._process.pid


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_program_give_on_the_gpu_what_they_give_on_the_cpu(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_software_gpu(monkeypatch)
    card = load_card(name)
    backend, cpu = GpuBackend(card.path(), sample(card)), TfliteBackend(card.path())
    try:
        assert (backend.inputs, backend.outputs) == (cpu.inputs, cpu.outputs)
        other = {spec.name: np.ascontiguousarray(picture(spec)[..., ::-1]) for spec in backend.inputs}
        expected, found = cpu.run(other), backend.run(other)
    finally:
        backend.close()
    for spec in cpu.outputs:
        farthest = np.abs(found[spec.name].astype(np.float64) - expected[spec.name]).max()
        assert farthest <= (1 if spec.scale else 1e-4 * np.abs(expected[spec.name]).max())


def test_network_that_fits_in_part_is_refused_with_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    use_software_gpu(monkeypatch)
    with pytest.raises(BackendUnavailable, match=r"the GPU runs 112 of the 152 operators .*not on the GPU: GATHER_ND"):
        GpuBackend(load_card("pose_int8").path())


def test_software_driver_is_named_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    use_software_gpu(monkeypatch)
    assert re.fullmatch(r"SwiftShader .*, a software driver: it proves function, not speed; f32", probe_gpu())
    assert str(Adapter("Card", False, 1)) == "Card"
    monkeypatch.setenv("EDGE_GPU", "f16")
    assert probe_gpu().endswith("; f16 where it has that")


def test_without_a_driver_the_reason_is_said() -> None:
    with pytest.raises(BackendUnavailable, match=r"^backend gpu finds no GPU here \(.+\); use --backend auto$"):
        GpuBackend(load_card("expression_float").path())
    with pytest.raises(BackendUnavailable, match=r"^backend gpu finds no GPU here \(.+\); use --backend auto$"):
        probe_gpu()


def test_what_differs_a_little_is_used_and_how_much_is_known(card: Card) -> None:
    backend = opened("Slightly", card.name)
    found = backend.difference
    backend.close()
    assert found.is_steps == (card.precision == "int8")
    assert found.value == pytest.approx(1 if found.is_steps else 1e-4, rel=0.01)


@pytest.mark.parametrize("name", ["Wrong", "NanAtOnce"])
def test_what_differs_more_is_refused_with_the_figure(name: str) -> None:
    figure = "1.0e-02" if name == "Wrong" else "nan"
    with pytest.raises(BackendUnavailable, match=rf"is not the CPU's: they differ by {figure} of the largest value"):
        opened(name)


def test_two_steps_of_whole_numbers_are_refused() -> None:
    with pytest.raises(BackendUnavailable, match="they differ by 2 steps of 256, allowed is 1"):
        opened("Wrong", "expression_int8")


def test_the_worst_output_counts() -> None:
    specs = (TensorSpec("a", (2,), "float32"), TensorSpec("b", (2,), "int8", 0.1), TensorSpec("c", (2,), "float32"))
    expected = {"a": np.ones(2, "f"), "b": np.zeros(2, np.int8), "c": np.ones(2, "f")}
    found = {**expected, "b": np.array([0, 3], np.int8)}
    assert (difference(expected, found, specs, 1e-3).value, difference(expected, found, specs, 1e-3).is_small) == (
        3,
        False,
    )
    assert difference(expected, expected, specs, 1e-3).is_small
    assert not difference(expected, {**expected, "c": np.array([1, np.nan], "f")}, specs, 1e-3).is_small


def test_arithmetic_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendUnavailable, match="f16 only"):
        opened("OnlyF16")
    monkeypatch.setenv("EDGE_GPU", "f16")
    backend = opened("OnlyF16")
    backend.close()
    assert backend.difference.value == pytest.approx(0.01, rel=1e-3)
    assert backend.difference.allowed == 0.02
    monkeypatch.setenv("EDGE_GPU", "fast")
    with pytest.raises(BackendUnavailable, match="EDGE_GPU=fast: expected f32 or f16"):
        opened("Faithful")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "Refuses",
            r"the GPU driver refuses expression_float.tflite \(RuntimeError: .*out of memory\); use --backend cpu",
        ),
        ("RefusesOperators", r"the GPU runs 181 of the 214 operators of .*not on the GPU: GATHER_ND: Operation is not"),
        ("DiesBuilding", r"the GPU driver ended its process with code 3 in building expression_float.tflite"),
    ],
)
def test_driver_that_does_not_build_is_refused_in_its_words(name: str, reason: str) -> None:
    with pytest.raises(BackendUnavailable, match=reason) as caught:
        opened(name)
    assert "\n" not in str(caught.value)


def test_driver_that_hangs_in_building_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_process, "OPEN_LIMIT_S", 2.0)
    start = time.monotonic()
    with pytest.raises(DeviceTimeout, match="the GPU driver hangs: 2 s passed in building expression_float"):
        opened("HangsBuilding")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("LaterHang", DeviceTimeout, "the GPU driver hangs: 0.5 s passed in running"),
        ("LaterNan", BackendError, "the GPU gave NaN or infinity in .* of expression_float.tflite"),
        ("LaterCrash", BackendError, "the GPU driver ended its process by signal 11 in running"),
        ("LaterFailure", BackendError, r"the GPU driver failed in running .*\(RuntimeError: device lost\)"),
    ],
)
def test_driver_that_fails_in_a_run_is_an_error_and_leaves_no_process(
    name: str, kind: type[Exception], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_process, "RUN_LIMIT_S", 0.5)
    backend = opened(name)
    pid, inputs = pid_of(backend), inputs_of(backend)
    backend.run(inputs)
    with np.errstate(all="ignore"), pytest.raises(kind, match=reason):
        backend.run(inputs)
    backend.close()
    assert is_gone(pid)


def test_the_cpu_goes_on_where_the_gpu_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_process, "RUN_LIMIT_S", 0.5)
    path = load_card("expression_float").path()
    told: list[str] = []
    guarded = GuardedBackend(opened("LaterHang"), lambda: TfliteBackend(path), told.append)
    inputs = {spec.name: picture(spec) for spec in guarded.inputs}
    first = guarded.run(inputs)
    assert (guarded.name, told) == ("gpu", [])
    second, third = guarded.run(inputs), guarded.run(inputs)
    assert guarded.name == "cpu"
    assert len(told) == 1
    assert "hangs" in told[0]
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
        np.testing.assert_array_equal(array, third[name])
    guarded.close()
    guarded.close()
    with pytest.raises(BackendError, match="was closed"):
        guarded.run(inputs)
    assert len(told) == 1


def test_closing_ends_the_process_and_a_second_time_does_nothing() -> None:
    backend = opened("Faithful")
    pid = pid_of(backend)
    assert not is_gone(pid)
    backend.close()
    backend.close()
    assert is_gone(pid)


def test_many_are_opened_and_closed_without_leaving_files_open() -> None:
    def n_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    opened("Faithful").close()
    before = n_files()
    for _ in range(3):
        opened("Faithful").close()
        with pytest.raises(BackendUnavailable):
            opened("Refuses")
    assert n_files() <= before


@pytest.mark.parametrize(
    ("shape", "dtype", "scale"), [((1, 48, 48, 1), "float32", 0.0), ((1, 8, 8, 3), "int32", 0.0), ((5,), "int8", 0.01)]
)
def test_picture_is_no_flat_field_and_always_the_same(shape: tuple[int, ...], dtype: str, scale: float) -> None:
    spec = TensorSpec("x", shape, dtype, scale, -128 if scale else 0)
    first = picture(spec)
    assert (first.shape, first.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(first, picture(spec))
    assert first.astype(np.float64).std() > 0.1 * (first.max() - first.min()) > 0


def test_words_of_a_driver_become_one_sentence() -> None:
    assert refusal("a.tflite", "E: No adapters found", "x").startswith("backend gpu finds no GPU that LiteRT can use")
    assert refusal("a.tflite", "", "a\n b").startswith("the GPU driver refuses a.tflite (a b);")
    assert len(one_line("word " * 1000)) <= 200


SAMPLES: dict[str, Callable[[np.ndarray], bool]] = {
    "expression_float": lambda a: 0 <= a.min() < a.max() <= 1,
    "blazeface_short": lambda a: -1 <= a.min() < a.max() <= 1,
    "flow_int8": lambda a: a.dtype == np.int8,
    "persons_float": lambda a: 0 <= a.min() < a.max() <= 255,
    "pose_int8": lambda a: 0 <= a.min() < a.max() <= 255,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_what_the_pre_processing_makes(name: str) -> None:
    card = load_card(name)
    (spec,) = TfliteBackend(card.path()).inputs
    (array,) = sample(card).values()
    assert (array.shape, array.dtype) == (spec.shape, np.dtype(spec.dtype))
    assert SAMPLES[name](array)
    assert array.astype(np.float64).std() > 0.1 * (float(array.max()) - float(array.min()))
