# SPDX-License-Identifier: Apache-2.0
"""Prove the properties that stand in the modules, by temporal induction with the solver inside pyosys.

`python -m fpga.formal.prove [MODULE ...] [--no-plants]`. A property that never fails says nothing: each module is
proven again with bugs planted into its text, and every one of these proofs must find a counterexample.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from enum import Enum
from pathlib import Path

from pyosys import libyosys as ys

from fpga.formal.targets import TARGETS, Plant, Target

RTL = Path(__file__).parents[1] / "rtl"
PACKAGES = ("accel_regs_pkg.sv", "accel_pkg.sv")
LOWER = ("proc", "flatten", "memory_map -formal", "async2sync", "opt -fast", "dffunmap", "chformal -lower", "opt -fast")
SOLVE = "sat -tempinduct -prove-asserts -set-assumes"
TIMEOUT_S = 300
"""Of one call of the solver; the proofs take seconds."""


class Answer(Enum):
    PROVED = "proved"
    REFUTED = "a counterexample"
    UNKNOWN = "no answer"


class ProofError(Exception):
    """One sentence: which module, and why nothing is proven."""


def prove(target: Target, text: str) -> Answer:
    """Return what the solver says about all assertions of the module whose source is `text`.

    Raises ProofError for a module without assertions.
    """
    design = ys.Design()
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        source, log = Path(folder) / f"{target.module}.sv", Path(folder) / "log"
        source.write_text(text, "utf-8")
        files = " ".join(str(path) for path in [*(RTL / name for name in PACKAGES), source])
        parameters = " ".join(f"-G {parameter}" for parameter in target.parameters)
        run(design, log, f"read_slang -D FORMAL {files} --top {target.module} {parameters}")
        make_choices(design)
        for command in LOWER:
            run(design, log, command)
        if not count(design, "$assert"):
            raise ProofError(f"{target.name}: expected assertions under `ifdef FORMAL, found none")
        hold_constants(design)
        run(design, log, f"{SOLVE} -timeout {TIMEOUT_S} -maxsteps {target.most_steps} {target.module}")
        return answer_of(log.read_text("utf-8", "replace"))


def run(design: ys.Design, log: Path, command: str) -> None:
    ys.run_pass(f"tee -q -o {log} {command}", design)


def answer_of(log: str) -> Answer:
    if "Induction step proven: SUCCESS!" in log:
        return Answer.PROVED
    return Answer.REFUTED if "model found for base case: FAIL!" in log else Answer.UNKNOWN


def count(design: ys.Design, kind: str) -> int:
    return sum(str(cell.type) == kind for cell in design.top_module().cells_.values())


def make_choices(design: ys.Design) -> None:
    """Give signals marked (* anyconst *) or (* anyseq *) to the solver.

    The SystemVerilog reader ties them to undefined bits, which the solver takes for zeros: a proof about all values
    would be one about zero.
    """
    module = design.top_module()
    for number, wire in enumerate(list(module.wires_.values())):
        for mark, choose in (("anyconst", module.Anyconst), ("anyseq", module.Anyseq)):
            if not wire.has_attribute(ys.IdString(f"\\{mark}")):
                continue
            signal = ys.SigSpec(wire)
            ties = [cell for cell in module.cells_.values() if str(cell.type) == "$buf" and output(cell) == signal]
            if len(ties) != 1:
                raise ProofError(f"{wire.name}: expected one driver of undefined bits, found {len(ties)}")
            module.remove(ties[0])
            module.connect(signal, choose(ys.IdString(f"$choice{number}"), wire.width))


def output(cell: ys.Cell) -> ys.SigSpec:
    return cell.getPort(ys.IdString("\\Y"))


def hold_constants(design: ys.Design) -> None:
    """Make each chosen constant a register that keeps its value: this solver would choose again in every clock."""
    module = design.top_module()
    for number, cell in enumerate(list(module.cells_.values())):
        if str(cell.type) == "$anyconst":
            signal = output(cell)
            module.remove(cell)
            module.addFf(ys.IdString(f"$held{number}"), signal, signal)


def planted(target: Target, text: str, plant: Plant) -> str:
    """Return `text` with the bug in it; raises ProofError unless its place is there once."""
    found = text.count(plant.old)
    if found != 1:
        raise ProofError(f"{target.name}, {plant.name}: expected {plant.old!r} once, found it {found} times")
    return text.replace(plant.old, plant.new)


def check(target: Target, with_plants: bool) -> list[str]:
    """Prove a target and its planted bugs; return what is wrong."""
    start, text = time.monotonic(), (RTL / f"{target.module}.sv").read_text("utf-8")
    wrong = []
    answer = prove(target, text)
    if answer != Answer.PROVED:
        wrong.append(f"{target.name}: expected a proof, got {answer.value}")
    for plant in target.plants if with_plants else ():
        answer = prove(target, planted(target, text, plant))
        if answer != Answer.REFUTED:
            wrong.append(f"{target.name}, planted bug {plant.name!r}: expected a counterexample, got {answer.value}")
    seconds = time.monotonic() - start
    n_plants = len(target.plants) if with_plants else 0
    print(f"{target.name}: {n_plants} planted bugs, {len(wrong)} surprises, {seconds:.1f} s", flush=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove the properties of the modules.")
    parser.add_argument("modules", nargs="*", help="of these modules only")
    parser.add_argument("--no-plants", action="store_true", help="leave the planted bugs out")
    arguments = parser.parse_args()
    chosen = [target for target in TARGETS if not arguments.modules or target.module in arguments.modules]
    try:
        wrong = [line for target in chosen for line in check(target, not arguments.no_plants)]
    except ProofError as error:
        wrong = [str(error)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong or not chosen else 0


if __name__ == "__main__":
    raise SystemExit(main())
