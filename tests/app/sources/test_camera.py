# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import app.sources.grabber as grabber
from app.frame import Frame
from app.sources.camera import Camera, Host, first_working_camera, fourcc_name, list_cameras, open_v4l2
from app.sources.source import SourceError, SourceLost
from app.sources.video_node import CAPABILITY, captures_video, is_capture, node_holders
from tests.app.sources.fake_camera import FakeHost


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeHost]:
    host = FakeHost(tmp_path)
    before = set(threading.enumerate())
    yield host
    host.stall.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(2)
        assert not thread.is_alive(), f"{thread.name} is left"
    assert host.n_open == 0, "a capture was not released"


def read_until_frame(camera: Camera, timeout_s: float = 2.0) -> tuple[Frame, list[str]]:
    """Return the first frame and the sentences of SourceLost before it."""
    sentences: list[str] = []
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        try:
            return camera.read(), sentences
        except SourceLost as lost:
            sentences.append(str(lost))
    raise AssertionError(f"no frame in {timeout_s} s: {sentences}")


def read_until_lost(camera: Camera) -> str:
    """Return the first sentence of SourceLost; up to a few frames may be read before."""
    for _ in range(5):
        try:
            camera.read()
        except SourceLost as lost:
            return str(lost)
    raise AssertionError("the camera was not lost")


def test_list_names_cameras_and_hides_metadata_nodes(fake: FakeHost) -> None:
    fake.plug(10, "Far")
    fake.plug(0, "HD Webcam", by_id="usb-HD_Webcam-video-index0")
    fake.plug(1, "HD Webcam", index=1, by_id="usb-HD_Webcam-video-index1")
    cameras = list_cameras(fake.folder / "sys", fake.folder / "dev")
    assert [(camera.number, camera.name) for camera in cameras] == [(0, "HD Webcam"), (10, "Far")]
    assert cameras[0].path == fake.folder / "dev/video0"
    assert cameras[0].by_id == fake.folder / "dev/v4l/by-id/usb-HD_Webcam-video-index0"
    assert cameras[1].by_id is None
    assert str(cameras[1]) == f"Far ({fake.folder}/dev/video10)"


def test_list_without_any_camera_or_without_sysfs(tmp_path: Path) -> None:
    assert list_cameras(tmp_path, tmp_path) == []
    assert list_cameras(tmp_path / "absent", tmp_path) == []


@pytest.mark.parametrize(
    ("capabilities", "device_caps", "expected"),
    [
        (0x84A00001, 0x04200001, True),  # a UVC camera's picture node
        (0x84A00001, 0x04A00000, False),  # and its metadata node: pictures only elsewhere on the device
        (0x04000001, 0, True),  # a driver from before device_caps
        (0x84001000, 0x04001000, True),  # multi-planar capture
        (0x84000002, 0x04000002, False),  # output
    ],
)
def test_capability_of_real_nodes(capabilities: int, device_caps: int, expected: bool) -> None:
    reply = CAPABILITY.pack(b"uvcvideo", b"HD Webcam", b"usb-0000:00:14.0-5", 0x060100, capabilities, device_caps)
    assert len(reply) == 104
    assert is_capture(reply) is expected


def test_capability_is_unknown_where_it_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert captures_video(tmp_path / "file") is None
    assert captures_video(tmp_path / "absent") is None


def test_holders_are_found_in_the_real_proc(tmp_path: Path) -> None:
    node = tmp_path / "video0"
    node.touch()
    assert node_holders(node) == []
    with node.open():
        assert [holder.split("(")[1] for holder in node_holders(node)] == [f"pid {os.getpid()})"]


def test_negotiated_format_and_frames(fake: FakeHost) -> None:
    fake.plug(0)
    camera = Camera(0, (1920, 480), 25.0, host=fake.host())
    assert camera.name == f"HD Webcam ({fake.folder}/dev/video0)"
    assert (camera.size_wh, camera.fps, camera.fourcc) == ((800, 480), 25.0, "MJPG")  # 1920 is more than it can
    frames = [camera.read() for _ in range(5)]
    assert frames[0].image.shape == (480, 800, 3)
    assert frames[0].image[0, 0].tolist() == [0, 0, 255]
    assert all(later.seq > earlier.seq for earlier, later in itertools.pairwise(frames))
    assert all(frame.t_ns == frame.captured_ns for frame in frames)
    camera.close()
    camera.close()
    with pytest.raises(SourceError, match="is closed") as raised:
        camera.read()
    assert not isinstance(raised.value, SourceLost)


def test_a_late_reader_gets_the_newest_frame(fake: FakeHost) -> None:
    fake.plug(0)
    camera = Camera(0, (64, 48), host=fake.host())
    first = camera.read()
    time.sleep(0.2)
    late = camera.read()
    assert late.seq - first.seq > 10
    assert time.monotonic_ns() - late.captured_ns < 150e6
    camera.close()


def test_missing_camera_lists_those_that_are_here(fake: FakeHost) -> None:
    fake.plug(0)
    with pytest.raises(SourceError) as raised:
        Camera(3, host=fake.host())
    dev = fake.folder / "dev"
    assert str(raised.value) == (
        f"no camera at {dev}/video3; cameras here: HD Webcam ({dev}/video0); choose one with --source camera:N"
    )
    fake.unplug(0)
    with pytest.raises(SourceError, match="cameras here: none"):
        Camera(3, host=fake.host())


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(path: Path, flags: int) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "open", fail)


def test_forbidden_camera_tells_the_cure(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.plug(0)
    refuse(monkeypatch, errno.EACCES)
    with pytest.raises(SourceError, match=r"not in group video; run `sudo usermod -aG video \$USER` and log in again"):
        Camera(0, host=fake.host())


@pytest.mark.parametrize("way", ["node is busy", "stream is busy", "no frame comes"])
def test_busy_camera_names_the_holders(fake: FakeHost, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    node = fake.plug(0)
    fake.hold(node, 4242, "zoom")
    fake.hold(node, 77, "cheese")
    fake.hold(fake.folder / "dev/video9", 5, "other")
    if way == "node is busy":
        refuse(monkeypatch, errno.EBUSY)
    fake.opens, fake.is_silent = way != "stream is busy", way == "no frame comes"
    with pytest.raises(SourceError, match=r"in use by cheese \(pid 77\), zoom \(pid 4242\); close that program"):
        Camera(0, host=fake.host())


def test_camera_that_opens_but_sends_nothing(fake: FakeHost) -> None:
    fake.plug(0)
    fake.is_silent = True
    with pytest.raises(SourceError, match="opened but sent no frame") as raised:
        Camera(0, host=fake.host())
    assert not isinstance(raised.value, SourceLost)


def test_node_that_opencv_cannot_capture_from(fake: FakeHost) -> None:
    fake.plug(0)
    fake.opens = False
    with pytest.raises(SourceError, match="is not a camera that OpenCV can capture from"):
        Camera(0, host=fake.host())


def test_real_opencv_refuses_a_file_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "video0").touch()
    assert not open_v4l2(str(tmp_path / "video0")).isOpened()
    assert capfd.readouterr().err == ""
    assert os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] == "1"


def test_unplugged_camera_comes_back_at_another_number(fake: FakeHost) -> None:
    fake.plug(0, by_id="usb-cam")
    camera = Camera(0, (64, 48), 20.0, host=fake.host())
    last = camera.read()
    fake.unplug(0)
    sentence = read_until_lost(camera)
    assert sentence.startswith(f"HD Webcam ({fake.folder}/dev/video0) was lost: it ")
    assert "unplugged; waiting for it, next try in 0." in sentence
    fake.plug(2, by_id="usb-cam")
    frame, _ = read_until_frame(camera)
    assert frame.seq > last.seq
    assert frame.captured_ns > last.captured_ns
    assert fake.captures[-1].properties == fake.captures[0].properties
    assert fake.captures[-1].properties[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    camera.close()


def test_reads_stay_bounded_while_the_camera_is_away(fake: FakeHost) -> None:
    fake.plug(0)
    camera = Camera(0, (64, 48), host=fake.host(read_s=0.1))
    fake.unplug(0)
    waits_s = []
    for _ in range(5):
        began_s = time.monotonic()
        try:
            camera.read()
        except SourceLost:
            waits_s.append(time.monotonic() - began_s)
    assert len(waits_s) >= 3
    assert max(waits_s) < 0.4
    camera.close()


def test_back_off_grows_to_its_bound(fake: FakeHost) -> None:
    fake.plug(0)
    camera = Camera(0, (64, 48), host=fake.host())
    fake.opens = False
    fake.raises = True  # the stream fails; the node is still there
    time.sleep(0.6)
    camera.close()
    # The first opening and the first try are not a pause apart.
    pauses_s, wanted_s = np.diff(fake.opened_s[1:5]), np.array([0.04, 0.08, 0.08])
    assert (pauses_s > wanted_s - 0.005).all()
    assert (pauses_s < wanted_s + 0.1).all()


def test_a_read_of_a_stalled_camera_is_bounded(fake: FakeHost) -> None:
    fake.plug(0)
    camera = Camera(0, (64, 48), host=fake.host(read_s=0.15))
    camera.read()
    fake.stall.clear()
    time.sleep(0.05)
    began_s = time.monotonic()
    assert read_until_lost(camera).endswith("has sent no frame for 0.15 s; waiting for it")
    assert time.monotonic() - began_s < 0.6
    fake.stall.set()
    read_until_frame(camera)
    assert len(fake.captures) == 1  # a short stall does not reopen the camera
    camera.close()


def test_a_driver_that_never_returns_is_reported_at_close(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grabber, "JOIN_S", 0.1)
    fake.plug(0)
    camera = Camera(0, (64, 48), host=fake.host())
    fake.stall.clear()
    time.sleep(0.05)
    with pytest.raises(SourceError, match=r"did not end within 0.1 s"):
        camera.close()


def test_a_long_silence_and_broken_frames_reopen_the_camera(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grabber, "GONE_S", 0.0)
    monkeypatch.setattr(grabber, "STALL_S", 0.05)
    fake.plug(0)
    camera = Camera(0, (64, 48), host=fake.host())
    for switch, sentence in (
        ("is_silent", "sent nothing"),
        ("sends_broken", "10 broken frames"),
        ("raises", "MEMORY_ORIG"),
    ):
        n_before = len(fake.captures)
        setattr(fake, switch, True)
        assert sentence in read_until_lost(camera)
        setattr(fake, switch, False)
        read_until_frame(camera)
        assert len(fake.captures) > n_before
    camera.close()


def test_first_working_camera_collects_the_reasons(fake: FakeHost) -> None:
    camera, reasons = first_working_camera(fake.host())
    assert camera is None
    assert reasons == [f"no camera is plugged in: {fake.folder}/sys lists none"]
    fake.plug(0, "Dead")
    fake.plug(2, "Alive")
    opened = fake.open_capture

    def open_but_not_0(path: str) -> object:
        fake.opens = not path.endswith("video0")
        return opened(path)

    host = fake.host()
    camera, reasons = first_working_camera(Host(**{**host.__dict__, "open_capture": open_but_not_0}))
    assert camera is not None
    assert camera.name.startswith("Alive")
    assert len(reasons) == 1
    assert reasons[0].startswith("Dead (")
    camera.close()


def test_fourcc_name() -> None:
    assert fourcc_name(float(cv2.VideoWriter.fourcc(*"YUYV"))) == "YUYV"
    assert fourcc_name(0.0) == fourcc_name(-1.0) == ""
