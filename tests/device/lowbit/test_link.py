# SPDX-License-Identifier: Apache-2.0
"""Compiled and linked networks give what their layers give, in every slot, whatever else lies in the arena."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.lowbit import emulator
from device.lowbit.compiler import compile_network
from device.lowbit.cycles import descriptor_cycles, model_cycles
from device.lowbit.descriptor import Descriptor, ErrorCode, Store, encode_all
from device.lowbit.library import CpuLibrary
from device.lowbit.linker import link, unlink
from device.lowbit.network import InputTensor, Layer, Network
from device.lowbit.program import Bundle, BundleError, check_bundle
from tests.device.lowbit.networks import (
    check_program,
    codes,
    evaluate,
    pyramid,
    random_inputs,
    raw,
    read_output,
    tall,
    write_inputs,
)

PYRAMID, TALL = pyramid(), tall()
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def both() -> Bundle:
    return link([compile_network(PYRAMID), compile_network(TALL)], slots=3)


def test_two_networks_run_in_one_arena(both: Bundle) -> None:
    arena = both.new_arena()
    inputs = {network.name: random_inputs(network, 5) for network in (PYRAMID, TALL)}
    for network in (PYRAMID, TALL):
        write_inputs(arena, both.programs[network.name], inputs[network.name])
    for network in (TALL, PYRAMID, TALL):
        assert emulator.run(arena, both.words(both.programs[network.name])) == ErrorCode.OK
    for network in (PYRAMID, TALL):
        check_program(both, network, arena, inputs[network.name])


def test_kernels_leave_the_arena_of_the_emulator(both: Bundle, kernels: CpuLibrary) -> None:
    arena = both.new_arena()
    for network in (PYRAMID, TALL):
        write_inputs(arena, both.programs[network.name], random_inputs(network, 6))
    other = arena.copy()
    for program in both.programs.values():
        assert kernels.run(arena, both.words(program)) == ErrorCode.OK
        assert emulator.run(other, both.words(program)) == ErrorCode.OK
    assert np.array_equal(arena, other)


def test_slots_hold_different_images(both: Bundle) -> None:
    arena, program = both.new_arena(), both.programs["pyramid"]
    images = [random_inputs(PYRAMID, seed) for seed in (7, 8, 9)]
    for slot, image in enumerate(images):
        write_inputs(arena, program, image, slot)
    for slot in range(3):
        assert emulator.run(arena, both.slot_words(program, slot)) == ErrorCode.OK
    for slot, image in enumerate(images):
        expected = evaluate(PYRAMID, image)
        for port in program.outputs:
            assert np.array_equal(read_output(arena, port, slot), expected[port.name])
    with pytest.raises(ValueError, match=r"expected slot 0\.\.2, got 3"):
        both.slot_words(program, 3)


def test_numbers_of_the_programs(both: Bundle) -> None:
    program = both.programs["pyramid"]
    pixels = 12 * 20
    want = pixels * 9 * 60 + pixels // 4 * 9 * 80 * 33 + pixels // 4 * 9 * 33 * 40
    want += pixels // 16 * 160 * 5 + pixels // 4 * 9 * 38 * 12 + pixels // 4 * 12 * 7
    assert program.macs == want
    assert [port.name for port in program.outputs] == ["fuse", "score"]
    assert program.outputs[1].shape == (7, 6, 10)
    assert program.n_descriptors == 6
    assert both.programs["tall"].n_descriptors > 6 + 4  # four layers of the image, each in several bands
    sizes = check_bundle(both)
    assert sizes["control"] == 64 * 80
    assert sizes["inputs"] == 3 * (12 * 20 * 32 + 150 * 60 * 32)
    assert sum(sizes.values()) <= both.arena_bytes


def test_linking_twice_gives_the_same_bytes(both: Bundle) -> None:
    again = link([compile_network(pyramid()), compile_network(tall())], slots=3)
    assert again.sha256 == both.sha256
    assert again.programs == both.programs


@settings(max_examples=25, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**16), min_size=1, max_size=3), slots=st.integers(1, 5), ring_log2=st.integers(6, 9)
)
def test_taken_out_and_linked_again_gives_the_same_bytes(seeds: list[int], slots: int, ring_log2: int) -> None:
    networks = [replace((pyramid, tall)[seed % 2](seed), name=f"net{i}") for i, seed in enumerate(seeds)]
    bundle = link([compile_network(network) for network in networks], slots, ring_log2)
    again = link([unlink(bundle, name) for name in bundle.programs], ring_log2=ring_log2)
    assert (again.sha256, again.programs, again.arena_bytes) == (bundle.sha256, bundle.programs, bundle.arena_bytes)


def test_network_of_another_bundle_gives_the_same_results(both: Bundle, library: CpuLibrary) -> None:
    """Alone, and between two others at other addresses and with other slots."""
    networks = [unlink(both, "tall"), compile_network(replace(pyramid(3), name="third")), unlink(both, "pyramid")]
    mixed = link(networks)
    assert [program.inputs[0].slots for program in mixed.programs.values()] == [3, 1, 3]
    for network in (PYRAMID, TALL):
        program, inputs, arena = mixed.programs[network.name], random_inputs(network, 8), mixed.new_arena()
        assert program.offset != both.programs[network.name].offset
        write_inputs(arena, program, inputs, slot=2)
        assert library.run(arena, mixed.slot_words(program, 2)) == ErrorCode.OK
        expected = evaluate(network, inputs)
        for port in program.outputs:
            assert np.array_equal(read_output(arena, port, slot=2), expected[port.name])


def test_a_nop_is_left_out() -> None:
    bundle = link([compile_network(PYRAMID)])
    program = bundle.programs["pyramid"]
    words = np.concatenate([bundle.words(program), encode_all([Descriptor(op=0, irq=1)])])
    image = np.concatenate([bundle.image, words.view(np.uint8).reshape(-1)])
    longer = replace(program, offset=bundle.image.size, n_descriptors=len(words))
    with_nop = replace(bundle, image=image, programs={"pyramid": longer})
    assert unlink(with_nop, "pyramid").descriptors == unlink(bundle, "pyramid").descriptors


def test_what_cannot_be_taken_out_is_refused(both: Bundle) -> None:
    with pytest.raises(BundleError, match="expected one of the programs pyramid, tall, got flow"):
        unlink(both, "flow")
    program = both.programs["pyramid"]
    twins = replace(program, outputs=tuple(replace(port, name="twin") for port in program.outputs))
    with pytest.raises(BundleError, match=r"pyramid: expected ports of different names, got .*output:twin"):
        unlink(replace(both, programs={"pyramid": twins}), "pyramid")


def test_scratch_is_used_again() -> None:
    rng = np.random.default_rng(2)
    layers = [codes(rng, "l0", ("x",), (32, 32))]
    layers += [codes(rng, f"l{i}", (f"l{i - 1}",), (32, 32)) for i in range(1, 6)]
    layers.append(raw(rng, "end", ("l5",), (32, 1)))
    network = Network("chain", (InputTensor("x", (32, 8, 8), 1),), tuple(layers), ("end",))
    compiled = compile_network(network)
    assert compiled.scratch_bytes == 2 * 8 * 8 * 8
    bundle = link([compiled])
    arena, inputs = bundle.new_arena(), random_inputs(network, 1)
    write_inputs(arena, bundle.programs["chain"], inputs)
    assert emulator.run(arena, bundle.words(bundle.programs["chain"])) == ErrorCode.OK
    check_program(bundle, network, arena, inputs)


def test_an_output_of_codes_may_be_read_by_a_later_layer() -> None:
    network = pyramid()
    assert any("fuse" in layer.sources for layer in network.layers)
    program = link([compile_network(network)], slots=2).programs["pyramid"]
    assert program.outputs[0].uses == ((4, 5), (5, 4))


def test_cycles_of_the_shape_of_the_specification() -> None:
    def layer(
        side: int, cb_in: int, cb_out: int, k: int = 3, digits: int = 1, store: int = 0, raw: int = 0
    ) -> Descriptor:
        pad = k // 2
        d = Descriptor(w=side, h=side, cb_in=cb_in, cb_out=cb_out, digits=digits, k=k, store=store, raw=raw)
        return Descriptor(**{**vars(d), "pad_top": pad, "pad_bottom": pad, "pad_left": pad, "pad_right": pad})

    fer = [layer(48, 1, 1, digits=4), layer(48, 1, 2, store=1), layer(24, 8, 4), layer(24, 4, 2, store=1)]
    fer += [layer(12, 8, 4, store=1), layer(6, 16, 2, k=1), layer(6, 2, 1, k=1, raw=1)]
    cycles = [round(descriptor_cycles(d)) for d in fer]  # its coarser model: 101,368 together, 21,080 the first
    assert cycles == [21_610, 10_858, 43_690, 11_562, 12_640, 2_154, 1_280]
    assert model_cycles(fer) == 103_795
    assert descriptor_cycles(Descriptor(op=0)) == 21


def test_networks_that_cannot_be_compiled_are_refused_by_name() -> None:
    image = InputTensor("x", (3, 8, 8), 4)
    first = codes(RNG, "a", ("x",), (3, 8))

    def compiled(*layers: Layer, outputs: tuple[str, ...] = ("z",), tensor: InputTensor = image) -> None:
        compile_network(Network("n", (tensor,), layers, outputs))

    with pytest.raises(BundleError, match="layer z: weights for 9 channels, sources have 8"):
        compiled(first, codes(RNG, "z", ("a",), (9, 4)))
    with pytest.raises(BundleError, match="layer z: 33 channel blocks"):
        compiled(codes(RNG, "z", ("x",), (3, 1025), k=1))
    with pytest.raises(BundleError, match="layer z: sources of different size or digits"):
        compiled(first, codes(RNG, "z", ("a", "x"), (11, 4)))
    with pytest.raises(BundleError, match="layer z: no legal descriptor \\(BAD_FIELD\\)"):
        compiled(codes(RNG, "z", ("x",), (3, 4), pads=(0, 1, 0, 0), store=Store.SPACE_TO_DEPTH))
    with pytest.raises(BundleError, match="layer z: 2x9 pixels are too few"):
        compiled(codes(RNG, "z", ("x",), (3, 4), pads=(0, 0, 0, 0)), tensor=InputTensor("x", (3, 2, 9), 4))
    with pytest.raises(BundleError, match="layer z: a row of 1024 pixels in 8 planes is too wide"):
        compiled(codes(RNG, "z", ("x",), (33, 4)), tensor=InputTensor("x", (33, 9, 1024), 4))
    second = codes(RNG, "b", ("x",), (3, 8))
    tied = (first, second, codes(RNG, "c", ("a", "b"), (16, 8)), codes(RNG, "d", ("b", "a"), (16, 8)))
    with pytest.raises(BundleError, match="b, a must lie behind each other in two orders"):
        compiled(*tied, codes(RNG, "z", ("c",), (8, 4)), codes(RNG, "y", ("d",), (8, 4)), outputs=("z", "y"))
    with pytest.raises(BundleError, match="a cannot be part of a concatenation"):
        compiled(first, second, codes(RNG, "z", ("a", "b"), (16, 4)), outputs=("z", "a"))
    with pytest.raises(BundleError, match="expected networks with different names"):
        link([compile_network(PYRAMID), compile_network(PYRAMID)])


def test_networks_that_contradict_themselves_are_refused() -> None:
    image = InputTensor("x", (3, 8, 8), 4)
    good = codes(RNG, "a", ("x",), (3, 8))
    with pytest.raises(ValueError, match="source y is not an input"):
        Network("n", (image,), (codes(RNG, "a", ("y",), (3, 8)),), ("a",))
    with pytest.raises(ValueError, match="nothing reads a"):
        Network("n", (image,), (good, codes(RNG, "b", ("x",), (3, 8))), ("b",))
    with pytest.raises(ValueError, match="are not different layers"):
        Network("n", (image,), (good,), ("a", "a"))
    with pytest.raises(ValueError, match="expected a new name"):
        Network("n", (image,), (good, good), ("a",))
    with pytest.raises(ValueError, match=r"weights: expected 1x1 or 3x3 of -1 and \+1"):
        Layer("a", ("x",), np.zeros((1, 1, 1, 1), np.int8), np.zeros((1, 3), np.int32))
    with pytest.raises(ValueError, match="t1 <= t2 <= t3"):
        Layer("a", ("x",), good.weights, np.array([[2, 1, 3]] * 8, np.int32))
    with pytest.raises(ValueError, match=r"thresholds: expected -8388608\.\.8388607"):
        Layer("a", ("x",), good.weights, np.full((8, 3), 2**23, np.int32))
    with pytest.raises(ValueError, match="a raw layer needs scale, bias and the plain store"):
        Layer("a", ("x",), good.weights)
    with pytest.raises(ValueError, match=r"1\.\.4 digits"):
        InputTensor("x", (3, 8, 8), 5)
