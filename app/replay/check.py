# SPDX-License-Identifier: Apache-2.0
"""Whether a replay says what the recorded run said: the same with whole-number networks, within bounds with floats."""

from __future__ import annotations

import math
from typing import Any

from app.replay.session_folder import Description, ReplayError

PX_BOUND, SHARE_BOUND = 0.5, 0.01
"""How far numbers may be apart where a float network is used: places and motions in px, scores and probabilities. On
one machine with one set of libraries they are equal; another processor rounds otherwise in the last bits."""
PX_FIELDS = ("xyxy", "keypoints", "mean_uv", "max_px")


WHOLE_NUMBERS = ("int8", "w1a2")
"""Precisions of networks that give the same on every machine."""


def expect_same_networks(recorded: Description, used: list[dict[str, str]]) -> None:
    """Raise ReplayError where a network has another file than when the session was recorded."""
    before = {model["name"]: model["sha256"] for model in recorded.models}
    for model in used:
        sha256 = before.get(model["name"], model["sha256"])
        if sha256 != model["sha256"]:
            raise ReplayError(
                f"the session was recorded with network {model['name']} of sha256 {sha256[:16]}, here it is "
                f"{model['sha256'][:16]}; use the version of the program that recorded it, or record it anew"
            )


class Check:
    """Compares events in the order of the frames."""

    def __init__(self) -> None:
        self.n_frames = self.n_equal = 0
        self.largest: dict[str, float] = {}  # difference by field
        self.fault = ""
        """The first difference that may not be, in a sentence, "" = none."""

    def add(self, recorded: dict[str, Any], replayed: dict[str, Any], is_integer: bool) -> None:
        """Compare the two events of a frame; with `is_integer` they must be equal."""
        self.n_frames += 1
        if recorded == replayed:
            self.n_equal += 1
            return
        for path, before, now in differences(recorded, replayed):
            apart = distance(before, now)
            field = path.split(".")[-1]
            self.largest[field] = max(self.largest.get(field, 0.0), apart)
            bound = PX_BOUND if field in PX_FIELDS else SHARE_BOUND
            if (is_integer or apart > bound) and not self.fault:
                allowed = "the same" if is_integer else f"at most {bound} apart"
                self.fault = (
                    f"frame {recorded.get('seq')}: {path} was {before!r} and is {now!r} now, expected {allowed}"
                )


def differences(before: Any, now: Any, path: str = "event") -> list[tuple[str, Any, Any]]:
    """Return the values that differ with where they stand; lists of another length are one difference."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        return [row for key in before for row in differences(before[key], now[key], f"{path}.{key}")]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [row for a, b in zip(before, now, strict=True) for row in differences(a, b, path)]
    return [] if before == now else [(path, before, now)]


def distance(before: Any, now: Any) -> float:
    """Return how far two numbers are apart; anything else that differs is infinitely so, as are whole numbers."""
    if isinstance(before, float) and isinstance(now, float | int):
        return abs(before - now)
    if isinstance(now, float) and isinstance(before, int) and not isinstance(before, bool):
        return abs(before - now)
    return math.inf
