# SPDX-License-Identifier: Apache-2.0
"""A fragmented MP4 of JPEG frames: every frame is whole on disk as soon as it is written.

A usual MP4 keeps its index for the end: a crash leaves nothing that plays. Here each frame is a fragment of its own
with its own time, so that a killed program leaves a playable file, and frames keep the times they were captured at.
Boxes and fields: ISO/IEC 14496-12 (8.8 movie fragments), 14496-14 and 14496-1 7.2.6 (esds; object type 0x6C = JPEG).
The price is size: about 1.5 MB a second at 640x480, 30 frames a second.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

TIMESCALE = 90_000
"""Ticks a second of all times in the file."""
MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def esds() -> bytes:
    """Elementary stream descriptor: visual stream, object type JPEG, no decoder-specific bytes."""
    decoder = struct.pack(">BBBB3sII", 0x04, 13, 0x6C, 0x11, b"\0\0\0", 0, 0)
    sync = struct.pack(">BBB", 0x06, 1, 0x02)
    return full_box(b"esds", 0, 0, struct.pack(">BBHB", 0x03, 3 + len(decoder) + len(sync), 1, 0), decoder, sync)


def sample_entry(size_wh: tuple[int, int]) -> bytes:
    fixed = struct.pack(">6xH16xHHIIIH32sHh", 1, *size_wh, 0x480000, 0x480000, 0, 1, b"\x04JPEG", 24, -1)
    return box(b"mp4v", fixed, esds())


def movie(size_wh: tuple[int, int], duration: int) -> bytes:
    """Return the `moov` box of one video track without samples; `duration` in ticks (0 = still being written)."""
    nothing = struct.pack(">I", 0)
    tables = [full_box(b"stsd", 0, 0, struct.pack(">I", 1), sample_entry(size_wh))]
    tables += [full_box(kind, 0, 0, nothing) for kind in (b"stts", b"stsc", b"stco")]
    tables.append(full_box(b"stsz", 0, 0, nothing, nothing))
    where = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, TIMESCALE, 0, 0x55C4, 0)),
        full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide"), b"video\0"),
        box(b"minf", full_box(b"vmhd", 0, 1, struct.pack(">4H", 0, 0, 0, 0)), where, box(b"stbl", *tables)),
    )
    size = struct.pack(">II", size_wh[0] << 16, size_wh[1] << 16)
    track = full_box(b"tkhd", 0, 3, struct.pack(">IIIII8xhhhH", 0, 0, 1, 0, 0, 0, 0, 0, 0), MATRIX, size)
    header = struct.pack(">IIIIIH10x", 0, 0, TIMESCALE, 0, 0x10000, 0x100)
    extends = box(
        b"mvex",
        full_box(b"mehd", 1, 0, struct.pack(">Q", duration)),
        full_box(b"trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0)),
    )
    end = struct.pack(">24xI", 2)
    return box(b"moov", full_box(b"mvhd", 0, 0, header, MATRIX, end), box(b"trak", track, media), extends)


def fragment(number: int, time: int, duration: int, jpeg: bytes) -> bytes:
    """Return one frame as `moof` + `mdat`; `time` and `duration` in ticks."""

    def moof(data_offset: int) -> bytes:
        run = struct.pack(">IiII", 1, data_offset, duration, len(jpeg))
        return box(
            b"moof",
            full_box(b"mfhd", 0, 0, struct.pack(">I", number)),
            box(
                b"traf",
                full_box(b"tfhd", 0, 0x020000, struct.pack(">I", 1)),
                full_box(b"tfdt", 1, 0, struct.pack(">Q", time)),
                full_box(b"trun", 0, 0x000301, run),
            ),
        )

    return moof(len(moof(0)) + 8) + box(b"mdat", jpeg)


class Mp4Writer:
    """Writes to an open binary file; one thread. After any exception of the file, what was written before plays."""

    def __init__(self, file: BinaryIO, size_wh: tuple[int, int], fps: float) -> None:
        self._file, self._size_wh = file, size_wh
        self._duration = round(TIMESCALE / fps)
        self._n_frames, self._end = 0, 0
        self._file.write(box(b"ftyp", b"iso5", struct.pack(">I", 512), b"iso5iso6mp41"))
        self._movie_at = self._file.tell()
        self._file.write(movie(size_wh, 0))
        self._file.flush()

    def write(self, jpeg: bytes, time_s: float) -> None:
        """Append one frame shown from `time_s` (since the first frame; later than the last one's) on."""
        time = max(round(time_s * TIMESCALE), self._end - self._duration + 1, 0)
        self._n_frames += 1
        self._file.write(fragment(self._n_frames, time, self._duration, jpeg))
        self._file.flush()
        self._end = time + self._duration

    def finish(self) -> None:
        """Write the duration into the header; the file plays without it too."""
        self._file.seek(self._movie_at)
        self._file.write(movie(self._size_wh, self._end))
        self._file.flush()
