# SPDX-License-Identifier: Apache-2.0
"""Flow fields in files: Middlebury's .flo and KITTI's 16-bit PNG, in and out.

Formats: Baker et al., "A Database and Evaluation Methodology for Optical Flow" (IJCV 2011); KITTI flow devkit (2015).
"""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from device.errors import AppError
from models.results import Flow

FLO_TAG = 202021.25
FLO_HEADER = struct.Struct("<fii")
UNKNOWN = 1e9
"""A component of this size or more, or one that is no number, is unknown in a .flo file."""
UNKNOWN_WRITTEN = 1e10
LARGEST_SIDE = 1 << 15
KITTI_SCALE, KITTI_ZERO = 64.0, 1 << 15


class FlowFileError(AppError):
    """A flow file that is missing, cut off or of another format."""


def read_flow(path: Path) -> Flow:
    """Return the field of a .flo or KITTI .png file; raises FlowFileError."""
    return read_kitti(path) if path.suffix.lower() == ".png" else read_flo(path)


def write_flow(path: Path, flow: Flow) -> None:
    """Write a field in the format that the name of the file says; raises OSError."""
    write_kitti(path, flow) if path.suffix.lower() == ".png" else write_flo(path, flow)


def read_flo(path: Path) -> Flow:
    """Return a Middlebury field; its unknown pixels, NaN among them, are not valid."""
    octets = read_octets(path)
    if len(octets) < FLO_HEADER.size:
        raise FlowFileError(f"{path} ends after {len(octets)} bytes, expected a .flo file; fetch it again")
    tag, width, height = FLO_HEADER.unpack_from(octets)
    if tag != FLO_TAG:
        raise FlowFileError(f"{path} is not a .flo file: expected the tag {FLO_TAG} at its start, found {tag:g}")
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise FlowFileError(f"{path}: expected a size of 1 to {LARGEST_SIDE} px, found {width}x{height}")
    expected = FLO_HEADER.size + width * height * 8
    if len(octets) != expected:
        raise FlowFileError(f"{path}: expected {expected} bytes for {width}x{height}, found {len(octets)}")
    uv = np.frombuffer(octets, "<f4", offset=FLO_HEADER.size).reshape(height, width, 2).astype(np.float32)
    valid = np.all(np.abs(uv) < UNKNOWN, axis=-1)
    return Flow(np.where(valid[..., None], uv, np.float32(0)), valid)


def write_flo(path: Path, flow: Flow) -> None:
    height, width = flow.valid.shape
    uv = np.where(flow.valid[..., None], flow.uv, np.float32(UNKNOWN_WRITTEN))
    path.write_bytes(FLO_HEADER.pack(FLO_TAG, width, height) + uv.astype("<f4").tobytes())


def read_kitti(path: Path) -> Flow:
    """Return a KITTI field: u, v in steps of 1/64 px, and whether each pixel is known."""
    octets = np.frombuffer(read_octets(path), np.uint8)
    bgr = cv2.imdecode(octets, cv2.IMREAD_UNCHANGED) if octets.size else None
    if bgr is None or bgr.dtype != np.uint16 or bgr.ndim != 3 or bgr.shape[2] != 3:
        raise FlowFileError(f"{path}: expected a PNG of three 16-bit channels (u, v, valid); fetch it again")
    valid = bgr[..., 0] > 0
    uv = (bgr[..., :0:-1].astype(np.float32) - KITTI_ZERO) / KITTI_SCALE
    return Flow(np.where(valid[..., None], uv, np.float32(0)), valid)


def write_kitti(path: Path, flow: Flow) -> None:
    """Write a field; what KITTI's range of -512 to 511.98 px cannot hold is clipped to it."""
    steps = np.round(flow.uv * KITTI_SCALE) + KITTI_ZERO
    steps = np.where(flow.valid[..., None], steps.clip(0, 65535), 0)
    bgr = np.dstack([flow.valid, steps[..., 1], steps[..., 0]]).astype(np.uint16)
    path.write_bytes(cv2.imencode(".png", bgr)[1].tobytes())


def read_octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FlowFileError(f"{path} cannot be read: {error.strerror}; check the path") from error
