# SPDX-License-Identifier: Apache-2.0
"""The video nodes of this computer: which are cameras, what they are called, who holds them. Opens no stream."""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys/class/video4linux")
DEV = Path("/dev")
PROC = Path("/proc")

# struct v4l2_capability of <linux/videodev2.h>: driver[16], card[32], bus_info[32], version, capabilities,
# device_caps, reserved[3]; VIDIOC_QUERYCAP is _IOR('V', 0, struct v4l2_capability).
CAPABILITY = struct.Struct("16s32s32sIII12x")
VIDIOC_QUERYCAP = 2 << 30 | CAPABILITY.size << 16 | ord("V") << 8
V4L2_CAP_VIDEO_CAPTURE = 0x0000_0001
V4L2_CAP_VIDEO_CAPTURE_MPLANE = 0x0000_1000
V4L2_CAP_DEVICE_CAPS = 0x8000_0000


@dataclass(frozen=True)
class CameraNode:
    """One camera's video node."""

    path: Path
    """/dev/videoN"""
    number: int
    """N, as in --source camera:N; changes from plug to plug."""
    name: str
    """As the driver says: "HD Webcam: HD Webcam"."""
    by_id: Path | None
    """The link in /dev/v4l/by-id that stays the same when the camera is plugged in again."""

    def __str__(self) -> str:
        return f"{self.name} ({self.path})"


def list_cameras(sysfs: Path = SYSFS, dev: Path = DEV) -> list[CameraNode]:
    """Return the cameras by number; nodes that carry only metadata or output are left out."""
    if not sysfs.is_dir():
        return []
    numbers = sorted(int(entry.name[5:]) for entry in sysfs.iterdir() if entry.name[:5] == "video" and _is_first(entry))
    nodes = [dev / f"video{number}" for number in numbers]
    return [
        CameraNode(node, number, _name(sysfs / node.name), _by_id(node, dev))
        for number, node in zip(numbers, nodes, strict=True)
        if node.exists() and captures_video(node) is not False
    ]


def captures_video(node: Path) -> bool | None:
    """Return whether the driver says that `node` gives pictures; None where it cannot be asked (busy, forbidden)."""
    try:
        fd = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None  # whoever opens the camera is told why
    try:
        reply = fcntl.ioctl(fd, VIDIOC_QUERYCAP, bytes(CAPABILITY.size))
    except OSError:
        return None
    finally:
        os.close(fd)
    return is_capture(reply)


def is_capture(reply: bytes) -> bool:
    """Return whether a struct v4l2_capability is that of a node that gives pictures."""
    *_, capabilities, device_caps = CAPABILITY.unpack(reply)
    # `capabilities` are those of all nodes of the device together; `device_caps`, where given, those of this node.
    own = device_caps if capabilities & V4L2_CAP_DEVICE_CAPS else capabilities
    return bool(own & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE))


def node_holders(node: Path, proc: Path = PROC) -> list[str]:
    """Return the processes that hold `node` open, "zoom (pid 4242)", as far as this user may see them."""
    real = node.resolve()
    return [
        f"{_comm(process)} (pid {process.name})"
        for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name))
        if real in _open_files(process)
    ]


def _open_files(process: Path) -> set[Path]:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return set()  # another user's process, or one that has just ended
    return {target for fd in descriptors if (target := _target(fd)) is not None}


def _target(fd: Path) -> Path | None:
    try:
        return fd.readlink()
    except OSError:
        return None  # closed since it was listed


def _comm(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process that has just ended"


def _is_first(entry: Path) -> bool:
    """Return whether a sysfs entry is the first node of its device; UVC metadata nodes are the second."""
    index = entry / "index"
    return not index.exists() or index.read_text().strip() == "0"


def _name(entry: Path) -> str:
    name = entry / "name"
    return name.read_text().strip() if name.exists() else entry.name


def _by_id(node: Path, dev: Path) -> Path | None:
    links = sorted((dev / "v4l" / "by-id").glob("*"))
    return next((link for link in links if link.resolve() == node.resolve()), None)
