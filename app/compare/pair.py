# SPDX-License-Identifier: Apache-2.0
"""A backend with a precision: what the frames of the first path are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from app.config import BACKENDS, PRECISIONS, ConfigError


@dataclass(frozen=True)
class Pair:
    """Written "BACKEND:PRECISION" by the user."""

    backend: str
    precision: str

    def __str__(self) -> str:
        return f"{self.backend}:{self.precision}"


def parse_pair(text: str) -> Pair:
    """Return the pair of "cpu:int8"; raises ConfigError that says which part is unknown."""
    backend, colon, precision = text.partition(":")
    if not colon or backend not in BACKENDS or precision not in PRECISIONS:
        raise ConfigError(
            f"{text!r}: expected BACKEND:PRECISION with a backend of {'|'.join(BACKENDS)} "
            f"and a precision of {'|'.join(PRECISIONS)}"
        )
    return Pair(backend, precision)
