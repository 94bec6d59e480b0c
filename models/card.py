# SPDX-License-Identifier: Apache-2.0
"""A model card: which file a network is, what goes in and out, what it was measured at, under which licence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.errors import AppError
from models.fetch import WANTED, fetched

CARDS = Path(__file__).parent / "cards"
WEIGHTS = Path(__file__).parent / "weights"


class ModelError(AppError):
    """A model file that is missing, or is not the one its card describes."""


@dataclass(frozen=True)
class Card:
    """The fields of `models/cards/NAME.json`; `fields` holds all of them, also those meant only for people."""

    name: str
    file: str
    sha256: str
    task: str
    precision: str
    labels: tuple[str, ...]
    input: dict[str, Any]
    fields: dict[str, Any]

    def path(self) -> Path:
        """Return where the file is: committed weights, or the fetched cache (fetches; raises FetchError offline)."""
        return fetched(self.file) if self.file in WANTED else WEIGHTS / self.file

    def verified_path(self) -> Path:
        """Return the file after checking its sha256; raises ModelError."""
        path = self.path()
        if not path.exists():
            raise ModelError(f"the weights {path} of network {self.name} are missing; check out the file again")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"{path} is not the file of card {self.name}: expected sha256 {self.sha256[:16]}, found {found[:16]}; "
                "restore the file or fetch it again"
            )
        return path


def load_card(name: str, folder: Path = CARDS) -> Card:
    """Read one card; raises ModelError naming the file and what is wrong with it."""
    path = folder / f"{name}.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Card(
            name=name,
            file=fields["file"],
            sha256=fields["sha256"],
            task=fields["task"],
            precision=fields["precision"],
            labels=tuple(fields.get("labels", ())),
            input=fields["input"],
            fields=fields,
        )
    except OSError as error:
        raise ModelError(f"no model card {path}; known are {', '.join(card_names(folder))}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a model card ({type(error).__name__}: {error})") from error


def card_names(folder: Path = CARDS) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json"))
