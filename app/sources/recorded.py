# SPDX-License-Identifier: Apache-2.0
"""Source of a recorded session: the very frames that a run saw, with their times, numbers and conditions."""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.frame import Frame
from app.replay.conditions import Conditions, parse_conditions
from app.replay.session_folder import FRAMES, Description, ReplayError, load_description, read_records
from app.sources.pace import Pace, Pacer
from app.sources.source import EndOfStream, Source
from models.results import Image


class Recorded:
    """Gives every recorded frame in order, at its own time or as fast as it is read. Raises ReplayError."""

    def __init__(self, folder: Path, pace: Pace, open_again: Callable[[Description], Source]) -> None:
        """`open_again` opens the source of a session that stored no frames."""
        self.description = load_description(folder)
        self.name, self._folder, self._pace = f"replay of {folder.name}", folder, pace
        self._inner = None if self.description.source_kind == "frames" else open_again(self.description)
        self._pacer, self._records = Pacer(), read_records(folder)
        self._conditions: dict[int, Conditions] = {}
        self.events: dict[int, dict[str, Any]] = {}
        """What the run said of the frames that were read, by number; whoever compares takes them out."""
        self._now: Conditions | None = None
        self.size_wh, self.fps = self._look_ahead()

    def read(self) -> Frame:
        record = next(self._records, None)
        if record is None:
            raise EndOfStream
        header, png = record
        event = header["event"]
        image = self._image(event["seq"], png)
        if zlib.crc32(np.ascontiguousarray(image).data) != header.get("crc32"):
            raise ReplayError(
                f"{self._folder}, frame {event['seq']}: the picture is not the one recorded; restore {self._what()}"
            )
        if "conditions" in header:
            where = f"{self._folder / FRAMES}, frame {event['seq']}"
            self._now = parse_conditions(header["conditions"], where)
        if self._now is not None:
            self._conditions[event["seq"]] = self._now
        self.events[event["seq"]] = event
        if self._pace == "realtime":
            self._pacer.wait(event["t_ns"])
        return Frame(image, event["seq"], time.monotonic_ns(), event["t_ns"])

    def conditions(self, frame: Frame, backend: str) -> Conditions | None:
        """Return under which conditions a frame that was read ran, once.

        `backend` other than the one that the session began with takes the place of all: a board's session, run here.
        """
        found = self._conditions.pop(frame.seq, None)
        if found is None or backend == self.description.settings.get("backend"):
            return found
        return dataclasses.replace(found, backend=backend)

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()

    def _look_ahead(self) -> tuple[tuple[int, int], float]:
        """Return size and rate of the first frames."""
        events = [header["event"] for header, _ in self._first_two()]
        if not events:
            raise ReplayError(f"{self._folder / FRAMES} holds no whole frame; record the session anew")
        width, height = events[0]["size"]
        gap_ns = events[-1]["t_ns"] - events[0]["t_ns"]
        return (int(width), int(height)), 1e9 / gap_ns if gap_ns > 0 else 0.0

    def _first_two(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        for record, _ in zip(read_records(self._folder), range(2), strict=False):
            yield record

    def _image(self, seq: int, png: bytes) -> Image:
        if self._inner is not None:
            return self._from_source(self._inner, seq)
        bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR) if png else None
        if bgr is None:
            raise ReplayError(f"{self._folder / FRAMES}, frame {seq}: the picture cannot be decoded; restore the file")
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

    def _from_source(self, inner: Source, seq: int) -> Image:
        """Return the frame of that number; those before were not processed when the session was recorded."""
        while True:
            try:
                frame = inner.read()
            except EndOfStream as end:
                raise ReplayError(f"{inner.name} ends before frame {seq}; restore {self._what()}") from end
            if frame.seq >= seq:
                return frame.image

    def _what(self) -> str:
        return f"the source {self.description.source}" if self._inner is not None else f"the file {FRAMES}"
