# SPDX-License-Identifier: Apache-2.0
"""Prove the properties that stand in the modules by temporal induction: yosys writes a module as SMT-LIB, z3 solves it.

`python -m fpga.formal.prove [MODULE ...] [--no-plants]`. A property that never fails says nothing: each module is
proven again with bugs planted into its text, and every one of these proofs must find a counterexample that begins at
the start. Formulas: Sheeran, Singh, Stalmarck, "Checking safety properties using induction and a SAT-solver" (2000).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from enum import Enum
from pathlib import Path

import z3
from pyosys import libyosys as ys

from fpga.formal.targets import TARGETS, Plant, Target

RTL = Path(__file__).parents[1] / "rtl"
PACKAGES = ("accel_regs_pkg.sv", "accel_pkg.sv")
LOWER = ("proc", "flatten", "memory_map -formal", "async2sync", "opt -fast", "chformal -lower", "opt -fast", "dffunmap")
TIMEOUT_MS = 300_000
"""Of one question to the solver; the answers take seconds."""


class Answer(Enum):
    PROVED = "proved"
    REFUTED = "a counterexample"
    UNKNOWN = "no answer"


class ProofError(Exception):
    """One sentence: which module, and why nothing is proven."""


def prove(target: Target, text: str) -> Answer:
    """Return what the solver says about all assertions of the module whose source is `text`.

    Raises ProofError for a module without assertions, or with assumptions that nothing can meet.
    """
    model = smt_model(target, text)
    for n_clocks in range(target.most_clocks + 1):
        from_start, from_anywhere = (path(target.module, n_clocks, is_start) for is_start in (True, False))
        violation = f"(assert (not (|{target.module}_a| s{n_clocks})))"
        if solve(model, from_start) == z3.unsat:
            raise ProofError(f"{target.name}: its assumptions cannot be met for {n_clocks} clocks: it proves nothing")
        found = solve(model, from_start, violation)
        if found != z3.unsat:
            return Answer.REFUTED if found == z3.sat else Answer.UNKNOWN
        if solve(model, from_anywhere, violation) == z3.unsat:
            return Answer.PROVED
    return Answer.UNKNOWN


def smt_model(target: Target, text: str) -> str:
    """Return the module as SMT-LIB functions of its state: _i initial, _u assumptions, _a assertions, _t transition."""
    design = ys.Design()
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        source, log, model = (Path(folder) / name for name in (f"{target.module}.sv", "log", "model.smt2"))
        source.write_text(text, "utf-8")
        files = " ".join(str(path) for path in [*(RTL / name for name in PACKAGES), source])
        parameters = " ".join(f"-G {parameter}" for parameter in target.parameters)
        run(design, log, f"read_slang -D FORMAL {files} --top {target.module} {parameters}")
        make_choices(design)
        for command in LOWER:
            run(design, log, command)
        if not any(str(cell.type) == "$assert" for cell in design.top_module().cells_.values()):
            raise ProofError(f"{target.name}: expected assertions under `ifdef FORMAL, found none")
        run(design, log, f"write_smt2 -stbv {model}")
        return model.read_text("utf-8")


def path(module: str, n_clocks: int, is_start: bool) -> str:
    """Return states s0..sN that follow each other, meet the assumptions, and meet the assertions before sN.

    s0 is the state after power-up if `is_start`, else any state.
    """
    lines = []
    for n in range(n_clocks + 1):
        lines.append(f"(declare-const s{n} |{module}_s|) (assert (and (|{module}_u| s{n}) (|{module}_h| s{n})))")
        lines.append(f"(assert (= (|{module}_is| s{n}) {'true' if is_start and n == 0 else 'false'}))")
    lines += [f"(assert (and (|{module}_a| s{n}) (|{module}_t| s{n} s{n + 1})))" for n in range(n_clocks)]
    return "\n".join([*lines, f"(assert (|{module}_i| s0))" if is_start else ""])


def solve(*parts: str) -> z3.CheckSatResult:
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", TIMEOUT_MS)
    solver.from_string("\n".join(parts))
    return solver.check()


def run(design: ys.Design, log: Path, command: str) -> None:
    ys.Pass.call(design, f"tee -q -o {log} {command}")


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
