# SPDX-License-Identifier: Apache-2.0
"""A video or picture file as a source. Decoding lives in decoder.py."""

from __future__ import annotations

import time
from pathlib import Path

from app.frame import Frame
from app.sources.decoder import DEFAULT_FPS, Decoder, open_decoder
from app.sources.pace import Pace, Pacer
from app.sources.quiet import silence_opencv
from app.sources.source import EndOfStream, Source, SourceError
from models.results import Image

# Skipping what the reader was late for costs 0.25 ms a frame; a file too large even for that must not block `read`.
SKIP_BUDGET_NS = 400_000_000


class Clip(Source):
    """Frames of a file, in order; `t_ns` is the presentation time, which goes on rising when the clip loops.

    At pace "realtime" a frame is given when it is due and frames that the reader is late for are dropped, as a camera
    would (gaps in `seq`); pauses in the file longer than 0.9 s are shortened to that. At pace "max" none is dropped.
    A picture is a clip of one frame; with `loop` it repeats at 30 frames a second.
    """

    def __init__(self, path: Path | str, pace: Pace = "realtime", loop: bool = False) -> None:
        silence_opencv()
        path = Path(path)
        expect_readable(path)
        self.name = path.name
        self._path = path
        self._pacer = Pacer() if pace == "realtime" else None
        self._loop = loop
        self._decoder: Decoder | None = open_decoder(path)
        self.fps = self._decoder.fps
        self._period_ns = round(1e9 / (self.fps or DEFAULT_FPS))
        self._seq = -1  # of the last frame decoded
        self._t_ns = -self._period_ns  # of the last frame decoded
        self._shift_ns: int | None = 0  # from file time to t_ns; None = set by the next frame
        self._first: Image | None = self._decode_first(self._decoder)
        height, width = self._first.shape[:2]
        self.size_wh = (width, height)

    def read(self) -> Frame:
        """Return the next frame; at pace "realtime" wait until it is due."""
        if self._decoder is None:
            raise SourceError(f"{self._path} is closed; open it anew to read it again")
        image, self._first = self._first, None
        if image is None:
            image = self._decode_next(self._decoder)
        if self._pacer is not None:
            self._pacer.wait(self._t_ns)
        return Frame(image, self._seq, time.monotonic_ns(), self._t_ns)

    def close(self) -> None:
        """Free the file."""
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None

    def _decode_first(self, decoder: Decoder) -> Image:
        """Return the first frame: it proves that the file decodes, and its size is the true one."""
        try:
            self._advance(decoder)
            return self._image(decoder)
        except EndOfStream as end:
            self.close()
            raise SourceError(f"{self._path} opens, but no frame of it decodes; it is truncated or damaged") from end

    def _decode_next(self, decoder: Decoder) -> Image:
        """Advance by one frame, or at pace "realtime" past all frames but the last one due, and decode that."""
        self._advance(decoder)
        if self._pacer is not None:
            self._skip_late(decoder, self._pacer)
        return self._image(decoder)

    def _skip_late(self, decoder: Decoder, pacer: Pacer) -> None:
        give_up_ns = time.monotonic_ns() + SKIP_BUDGET_NS
        while pacer.late_ns(self._t_ns) >= self._period_ns:
            if time.monotonic_ns() > give_up_ns:
                pacer.restart(self._t_ns)
                return
            self._advance(decoder)

    def _advance(self, decoder: Decoder) -> None:
        """Go to the next frame, over the end if looping; raise EndOfStream."""
        file_ns = decoder.advance()
        if file_ns is None and self._loop and self._seq >= 0:
            decoder.rewind()
            self._shift_ns = None
            file_ns = decoder.advance()
        if file_ns is None:
            raise EndOfStream
        if self._shift_ns is None:
            self._shift_ns = self._t_ns + self._period_ns - file_ns
        self._t_ns = file_ns + self._shift_ns
        self._seq += 1

    def _image(self, decoder: Decoder) -> Image:
        image = decoder.image()
        if image is None:
            self.close()
            raise SourceError(f"{self._path} is damaged at {self._t_ns / 1e9:.1f} s; what comes after is not shown")
        return image


def expect_readable(path: Path) -> None:
    """Raise SourceError unless `path` is a file with content that may be read."""
    try:
        if not path.is_file():
            raise SourceError(_why_no_file(path))
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError(f"{path} is empty; give another file")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check its permissions") from error


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a directory; give the path of one video or picture file"
    if path.exists():
        return f"{path} is a device or a pipe, not a file; give a file, or a camera as --source camera:N"
    return f"no file at {path}; give the path of a video or picture file"
