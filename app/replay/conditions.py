# SPDX-License-Identifier: Apache-2.0
"""What the user may change while a program runs and what changes its results: held for each frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.config import Settings
from app.frame import Frame
from app.motion.lines import Mark
from app.motion.zone_file import mark_rows, parse_mark_rows
from app.replay.session_folder import ReplayError
from app.runtime.meters import StageTimes
from app.runtime.pipeline import NetworkChoice, Task

CHANGEABLE = ("backend", "precision", "method", "camera_motion", "tracker")


@dataclass(frozen=True)
class Conditions:
    """Of one frame."""

    backend: str
    precision: str
    method: str
    camera_motion: str
    tracker: str
    marks: tuple[Mark, ...] = ()

    @staticmethod
    def of(settings: Settings, marks: Sequence[Mark]) -> Conditions:
        texts = {name: str(getattr(settings, name)) for name in CHANGEABLE}
        return Conditions(**texts, marks=tuple(marks))

    def settings(self, base: Settings) -> Settings:
        """Return `base` with what is changed here."""
        changed: dict[str, Any] = {name: getattr(self, name) for name in CHANGEABLE}
        return dataclasses.replace(base, **changed)

    def fields(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {**{name: getattr(self, name) for name in CHANGEABLE}, "marks": mark_rows(self.marks)}


def parse_conditions(fields: Any, where: str) -> Conditions:
    """Return the conditions in a JSON object; raises ReplayError, or ConfigError for marks that cannot be."""
    if not isinstance(fields, dict) or set(fields) != {*CHANGEABLE, "marks"}:
        raise ReplayError(f"{where}: expected conditions with {', '.join(CHANGEABLE)} and marks; record it anew")
    texts = {name: str(fields[name]) for name in CHANGEABLE}
    return Conditions(**texts, marks=parse_mark_rows(fields["marks"], where))


class ConditionedTask:
    """A task that notes for each frame under which conditions it ran, or runs it under those that were noted.

    `wanted` returns the conditions to run a frame under, None = as they are; `use` brings them about.
    """

    def __init__(
        self,
        task: Task,
        now: Callable[[], Conditions],
        wanted: Callable[[Frame], Conditions | None],
        use: Callable[[Conditions], None],
    ) -> None:
        self._task, self._now, self._wanted, self._use = task, now, wanted, use
        self.conditions = now()

    @property
    def times(self) -> StageTimes:
        return self._task.times

    @property
    def in_use(self) -> NetworkChoice:
        return self._task.in_use

    def __call__(self, frame: Frame) -> Any:
        wanted = self._wanted(frame)
        if wanted is not None and wanted != self._now():
            self._use(wanted)
        self.conditions = self._now()
        return self._task(frame)
