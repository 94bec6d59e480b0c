# SPDX-License-Identifier: Apache-2.0
"""`python -m models.convert.bundle NET... -o FILE`: several low-bit networks into one relocatable arena.

NET is the name of a network with a low-bit card ("expression") or the path of a program file. FILE is the description,
its image FILE-stem.bin lies beside it. `--show FILE` prints what a bundle holds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from device.errors import AppError
from device.lowbit.bundle_file import image_path, load_bundle, save_bundle
from device.lowbit.compiler import CompiledNetwork
from device.lowbit.cycles import CLOCK_HZ, descriptor_cycles
from device.lowbit.descriptor import Descriptor, Op, Store
from device.lowbit.layout import LANES
from device.lowbit.linker import link, unlink
from device.lowbit.program import MAX_SLOTS, Bundle, BundleError, Port, Program, check_bundle
from models.card import card_names, load_card

ARENA_BYTES = 32 * 2**20
"""The arena of the board."""
CARD_ENDING = "_w1a2"
STORES = {Store.PLAIN: "plain", Store.SPACE_TO_DEPTH: "space-to-depth", Store.UPSAMPLE: "upsample"}
HEAD = ("#", "input", "output", "k", "bits in", "bits w", "store", "MACs", "constants", "cycles")
NOTE = "Channels and MACs are those of the machine (whole blocks of 32); constants in bytes; cycles of the model."


def main() -> int:
    given = parse()
    try:
        if given.show is not None:
            print(shown(given.show))
        else:
            print(make(given.net, given.output, given.slots, given.arena))
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command; wrong usage ends the process with code 2."""
    parser = argparse.ArgumentParser(prog="python -m models.convert.bundle", description=__doc__)
    parser.add_argument("net", nargs="*", metavar="NET", help="a low-bit network by name, or a program file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="description to write")
    parser.add_argument("--slots", type=count, metavar="N", help="places for each input and output (default: as it is)")
    parser.add_argument("--arena", type=count, metavar="BYTES", default=ARENA_BYTES, help="room (default: 32 MiB)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print a bundle instead")
    given = parser.parse_args(arguments)
    if given.show is not None and (given.net or given.output):
        parser.error("--show takes no NET and no -o")
    if given.show is None and not (given.net and given.output):
        parser.error("expected at least one NET and -o FILE, or --show FILE")
    if given.slots is not None and given.slots > MAX_SLOTS:
        parser.error(f"--slots: expected 1 to {MAX_SLOTS}, got {given.slots}")
    return given


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return number


# Making a bundle.


def make(nets: Sequence[str], output: Path, slots: int | None = None, arena_bytes: int = ARENA_BYTES) -> str:
    """Write the bundle of all programs of `nets` and return its report; raises AppError and writes nothing."""
    files = [program_file(net) for net in nets]
    bundles = [load_bundle(file) for file in files]
    expect_other_files(output, files)
    bundle = link(taken_out(files, bundles), slots, max(bundle.ring.log2 for bundle in bundles))
    if bundle.arena_bytes > arena_bytes:
        raise BundleError(
            f"the bundle needs {bundle.arena_bytes:,} bytes of arena and may use {arena_bytes:,}; "
            "leave a network out, take fewer --slots or give a larger --arena"
        )
    save_bundle(bundle, output)
    lines = [f"written: {output} and its image {image_path(output).name}"]
    lines += [f"  {name}: {program.n_descriptors} descriptors, {timing(program)}" for name, program in programs(bundle)]
    return "\n".join([*lines, regions(bundle)])


def program_file(net: str) -> Path:
    """Return the program file of a card, checked against it, or the path itself."""
    known = [name.removesuffix(CARD_ENDING) for name in card_names() if name.endswith(CARD_ENDING)]
    if net in known:
        return load_card(net + CARD_ENDING).verified_path()
    path = Path(net)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    raise BundleError(f"there is no low-bit network {net}; known are {', '.join(known)}, or give a program file")


def taken_out(files: Sequence[Path], bundles: Sequence[Bundle]) -> list[CompiledNetwork]:
    """Return the networks of all bundles; raises BundleError for two of one name."""
    networks, home = [], dict[str, Path]()
    for file, bundle in zip(files, bundles, strict=True):
        for name in bundle.programs:
            if name in home:
                raise BundleError(f"two networks are called {name}, in {home[name]} and in {file}; leave one out")
            home[name] = file
            networks.append(unlink(bundle, name))
    return networks


def expect_other_files(output: Path, files: Sequence[Path]) -> None:
    """Raise BundleError when writing `output` would destroy what it is made of."""
    kept = {os.path.realpath(file): file for file in files}
    kept |= {os.path.realpath(file.with_name(json.loads(file.read_bytes())["image"])): file for file in files}
    for written in (output, image_path(output)):
        if os.path.realpath(written) in kept:
            raise BundleError(
                f"-o {output}: writing {written.name} would overwrite {kept[os.path.realpath(written)]} or its image; "
                "choose another name"
            )


# Reading one.


def shown(path: Path) -> str:
    """Return what a bundle holds, layer by layer; raises BundleError."""
    bundle = load_bundle(path)
    n_bytes = path.stat().st_size
    lines = [f"{path}: description {n_bytes:,} bytes, image {bundle.image.size:,} bytes"]
    for name, program in programs(bundle):
        lines += ["", f"program {name}: {ports(program.inputs)} -> {ports(program.outputs)}"]
        lines += table(list(map(Descriptor.decode, bundle.words(program))))
        lines.append(f"{program.macs:,} multiply-adds of the network itself; {timing(program)}")
    return "\n".join([*lines, "", NOTE, regions(bundle)])


def programs(bundle: Bundle) -> list[tuple[str, Program]]:
    return list(bundle.programs.items())


def ports(found: Sequence[Port]) -> str:
    """Return names, sizes and slots of ports."""
    return ", ".join(
        f"{port.name} {'x'.join(map(str, port.shape))} {'sums' if port.raw else f'{2 * port.digits} bit'}"
        + (f" in {port.slots} slots" if port.slots > 1 else "")
        for port in found
    )


def timing(program: Program) -> str:
    ms = program.model_cycles / CLOCK_HZ * 1e3
    return f"model: {program.model_cycles:,} cycles, {ms:.3f} ms at an assumed {CLOCK_HZ / 1e6:.0f} MHz"


def table(descriptors: Sequence[Descriptor]) -> list[str]:
    """Return the aligned lines of a program's descriptors with their totals."""
    layers = [d for d in descriptors if d.op == Op.CONV]
    sums = sum(d.macs for d in layers), sum(d.constants_bytes for d in layers), sum(map(descriptor_cycles, descriptors))
    rows = [HEAD, *(row(i, d) for i, d in enumerate(descriptors))]
    rows.append(("sum", *[""] * (len(HEAD) - 4), *(f"{value:,.0f}" for value in sums)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) for cells in rows]


def row(index: int, d: Descriptor) -> tuple[str, ...]:
    cycles = f"{descriptor_cycles(d):,.0f}"
    if d.op == Op.NOP:
        return (str(index), "NOP", *[""] * (len(HEAD) - 3), cycles)
    height, width = d.stored_hw
    store = "sums (int32)" if d.raw else STORES[Store(d.store)]
    sizes = f"{d.cb_in * LANES}x{d.h}x{d.w}", f"{d.n_dst_planes * LANES}x{height}x{width}"
    numbers = f"{d.macs:,}", f"{d.constants_bytes:,}", cycles
    return str(index), *sizes, f"{d.k}x{d.k}", str(2 * d.digits), "1", store, *numbers


def regions(bundle: Bundle) -> str:
    """Return the bytes of each region of the arena."""
    sizes = {**check_bundle(bundle), "arena": bundle.arena_bytes}
    return "\n".join(["region          bytes", *(f"{name:10} {n_bytes:>10,}" for name, n_bytes in sizes.items())])


if __name__ == "__main__":
    sys.exit(main())
