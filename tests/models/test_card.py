# SPDX-License-Identifier: Apache-2.0
"""Model cards: the committed ones are right, broken ones are refused with their path."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from models import card
from models.card import CARDS, WEIGHTS, ModelError, card_names, load_card
from models.fetch import WANTED

LARGEST_BYTES = 4_000_000
LARGEST_CONVERTED_BYTES = 10_000_000
"""Of networks that others trained and no wheel has."""
EXPRESSION = {"expression_float", "expression_int8", "expression_w1a2"}
MOVENET = {"persons_float", "pose_float", "pose_int8"}
COMMITTED = [name for name in card_names() if load_card(name).file not in WANTED]


def test_there_are_cards_and_committed_weights() -> None:
    assert set(card_names()) >= {"blazeface_short", "blazeface_full", *EXPRESSION}
    flow = {name for name in card_names() if name.startswith("flow_")}
    assert set(COMMITTED) == EXPRESSION | MOVENET | flow


@pytest.mark.parametrize("name", card_names())
def test_card_says_what_people_need(name: str) -> None:
    loaded = load_card(name)
    assert loaded.name == name
    assert loaded.labels or loaded.task == "flow"  # which tells motions, no classes
    assert loaded.precision in ("float", "int8", "w1a2")
    assert min(np.ravel(loaded.input["size"])) > 0
    for field in ("licence", "output"):
        assert loaded.fields[field]


@pytest.mark.parametrize("name", card_names())
def test_fetched_file_has_the_hash_of_its_card(name: str) -> None:
    loaded = load_card(name)
    if loaded.file in WANTED:
        assert loaded.sha256 == WANTED[loaded.file].sha256
    else:
        assert loaded.verified_path() == WEIGHTS / loaded.file


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_weights_are_those_of_the_card_and_small(name: str) -> None:
    loaded = load_card(name)
    assert hashlib.sha256((WEIGHTS / loaded.file).read_bytes()).hexdigest() == loaded.sha256
    n_bytes = sum(path.stat().st_size for path in files_of(name))
    assert n_bytes == loaded.fields["bytes"]
    assert n_bytes < (LARGEST_CONVERTED_BYTES if name in MOVENET else LARGEST_BYTES)


def files_of(name: str) -> list[Path]:
    """Return the files of a network: a program file has its image beside it."""
    path = WEIGHTS / load_card(name).file
    return [path, path.with_suffix(".bin")] if path.suffix == ".json" else [path]


def test_every_committed_file_has_a_card() -> None:
    # What the program files were made from, and what the proof reads.
    trained = {WEIGHTS / f"{name}.npz" for name in COMMITTED if name.endswith("_w1a2")}
    assert set(WEIGHTS.iterdir()) == {path for name in COMMITTED for path in files_of(name)} | trained


def test_wrong_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "WEIGHTS", tmp_path)
    loaded = load_card("expression_int8")
    (tmp_path / loaded.file).write_bytes(b"something else")
    with pytest.raises(ModelError, match=f"{tmp_path / loaded.file} is not the file of card expression_int8") as caught:
        loaded.verified_path()
    assert loaded.sha256[:16] in str(caught.value)
    assert hashlib.sha256(b"something else").hexdigest()[:16] in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match=f"weights {tmp_path / 'expression_int8.tflite'} of network .* are missing"):
        load_card("expression_int8").verified_path()


def test_right_hash_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "WEIGHTS", tmp_path)
    (tmp_path / "toy.tflite").write_bytes(b"toy")
    sha256 = hashlib.sha256(b"toy").hexdigest()
    loaded = dataclasses.replace(load_card("expression_int8"), file="toy.tflite", sha256=sha256)
    assert loaded.verified_path() == tmp_path / "toy.tflite"


WHOLE = json.loads((CARDS / "expression_int8.json").read_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "null",
        json.dumps({k: v for k, v in WHOLE.items() if k != "sha256"}),
        json.dumps({k: v for k, v in WHOLE.items() if k != "input"}),
        json.dumps(WHOLE | {"labels": 7}),
    ],
)
def test_broken_card_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "toy.json").write_text(text)
    with pytest.raises(ModelError, match=rf"{tmp_path / 'toy.json'} is not a model card"):
        load_card("toy", tmp_path)


def test_unknown_card_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text("{}")
    with pytest.raises(ModelError, match=r"no model card .*other\.json; known are toy"):
        load_card("other", tmp_path)
