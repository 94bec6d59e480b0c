# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that no other tool checks: licence line, sizes, names, and a README that knows every key."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from app.ui.actions import ACTIONS

ROOT = Path(__file__).parents[1]
SPDX = "# SPDX-License-Identifier: Apache-2.0"
LONGEST_FILE = 350
LONGEST_FUNCTION = 60
REPEATED = {
    # one word of the field in each room: the network, its task, its definition, training, conversion, evaluation
    "expression.py",
    # the task and the evaluation of optical flow, its network and the definition of that
    "flow.py",
    # the .tflite backend and the conversion to that format
    "tflite.py",
    # the task and the evaluation of face detection
    "faces.py",
    # the network of body poses, its task, its evaluation; the detector of people and its evaluation
    "pose.py",
    "persons.py",
}


def tracked() -> list[Path]:
    """Return the files in git that are here, and new ones that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    return sorted({ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()})


def sources() -> list[Path]:
    found = [path for path in tracked() if path.suffix == ".py" and path.stat().st_size]
    assert len(found) > 100
    return found


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_source_begins_with_its_licence() -> None:
    missing = []
    for path in tracked():
        is_script = path.suffix in (".py", ".sh") or path.name == "Makefile"
        if is_script and path.stat().st_size:
            first = path.read_text(encoding="utf-8").splitlines()[:2]
            if SPDX not in (first[1:] if first[0].startswith("#!") else first[:1]):
                missing.append(shown(path))
    assert missing == [], f"expected {SPDX!r} as the first line (after #!)"


def test_no_file_names_a_folder_of_one_machine() -> None:
    folders = [f"/{name}/".encode() for name in ("work", "root")]
    found = [shown(path) for path in tracked() if any(folder in path.read_bytes() for folder in folders)]
    assert found == []


def test_no_source_is_long() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_no_function_is_long() -> None:
    found = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    found[f"{shown(path)}:{node.name}"] = length
    assert found == {}


def test_every_source_says_what_it_is_for() -> None:
    silent = [
        shown(path)
        for path in sources()
        if path.parts[len(ROOT.parts)] != "tests" and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_file_names_are_unique() -> None:
    places = defaultdict(list)
    for path in sources():
        if path.relative_to(ROOT).parts[0] in ("app", "models", "device") and not path.stem.startswith("__"):
            places[path.name].append(shown(path))
    repeated = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in repeated.items() if name not in REPEATED} == {}
    assert set(repeated) == REPEATED, "a name that is not repeated any more need not be allowed"


def keys_of_readme() -> set[str]:
    """Return the keys in the README's table `| key | what it does |`; "1 ... 5" stands for each of them."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    table = re.search(r"^\| key .*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    if table is None:
        pytest.skip("README.md has no table of keys")
    keys = set[str]()
    for row in table[1].splitlines():
        cell = row.split("|")[1].strip()
        if between := re.fullmatch(r"(\d) \.\.\. (\d)", cell):
            keys |= {str(number) for number in range(int(between[1]), int(between[2]) + 1)}
        else:
            keys |= set(re.split(r" or |, ", cell))
    return keys


def test_readme_names_every_key_and_no_other() -> None:
    assert keys_of_readme() == {key for action in ACTIONS for key in action.keys}
