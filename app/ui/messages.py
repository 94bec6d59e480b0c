# SPDX-License-Identifier: Apache-2.0
"""What the banner says, and the ways on that it offers; every text follows the language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from app import choices
from app.config import Settings
from app.ui.banner import Banner, Message
from app.ui.reasons import reason_text
from app.ui.words import method_text, word
from device.errors import AppError


@dataclass(frozen=True)
class Ways:
    """What a button of the banner can do."""

    retry: Callable[[], None]
    open_file: Callable[[], None]
    open_source: Callable[[str], None]
    dismiss: Callable[[], None]


def _open_file() -> str:
    return QCoreApplication.translate("Messages", "Open file")


def warning(sentence: str) -> Message:
    """Return a warning without a way on; the sentence already says what to do."""
    return Message(lambda: reason_text(sentence))


def failure(sentence: str, ways: Ways) -> Message:
    """The program could not be built, or it has ended by a failure."""
    return Message(
        lambda: sentence,
        (
            (lambda: QCoreApplication.translate("Messages", "Retry"), ways.retry),
            (_open_file, ways.open_file),
            (lambda: QCoreApplication.translate("Messages", "Play demo"), partial(ways.open_source, "demo")),
        ),
    )


def no_camera(notice: str, ways: Ways) -> Message:
    """Another source is shown than the user would expect."""
    return Message(
        lambda: notice,
        (
            (lambda: QCoreApplication.translate("Messages", "Retry camera"), partial(ways.open_source, "auto")),
            (_open_file, ways.open_file),
            (lambda: QCoreApplication.translate("Messages", "Keep demo"), ways.dismiss),
        ),
    )


def lost(sentence: str, ways: Ways) -> Message:
    """The source is gone for now; the program keeps trying."""
    return Message(lambda: sentence, ((_open_file, ways.open_file),))


def end_of_clip(ways: Ways) -> Message:
    """The last frame of a clip has been shown."""
    return Message(
        lambda: QCoreApplication.translate("Messages", "End of the clip."),
        (
            (lambda: QCoreApplication.translate("Messages", "Play again"), ways.retry),
            (_open_file, ways.open_file),
        ),
    )


def saved(path: Path) -> Message:
    """A picture or video was written."""
    return Message(lambda: QCoreApplication.translate("Messages", "Saved: {0}").format(path), is_note=True)


def nothing_to_save() -> Message:
    """There was no picture yet."""
    return Message(lambda: QCoreApplication.translate("Messages", "There is no picture to save yet."), is_note=True)


def flow_scale(name: Callable[[], str]) -> Message:
    """The colours of a flow have another scale."""
    return Message(
        lambda: QCoreApplication.translate("Messages", "Motion of full colour: {0}").format(name()), is_note=True
    )


def zone_too_small() -> Message:
    """What was drawn is no zone and no line."""
    return Message(
        lambda: QCoreApplication.translate("Messages", "That is too small: drag further."),
        is_note=True,
    )


def no_zone() -> Message:
    """There is nothing to remove."""
    return Message(lambda: QCoreApplication.translate("Messages", "There is no zone."), is_note=True)


def all_zones() -> str:
    """Return the words for every zone."""
    return QCoreApplication.translate("Messages", "all zones")


def zones_removed(name: Callable[[], str], undo: Callable[[], None]) -> Message:
    """A zone, or all of them, are gone."""
    return Message(
        lambda: QCoreApplication.translate("Messages", "Removed: {0}").format(name()),
        ((lambda: QCoreApplication.translate("Messages", "Undo"), undo),),
        is_note=True,
    )


@contextmanager
def warned(banner: Banner) -> Iterator[None]:
    """Show an AppError of the `with` block as a warning."""
    try:
        yield
    except AppError as error:
        banner.tell(warning(str(error)))


def in_use(name: str, settings: Settings) -> Message:
    """Another backend, precision, method, camera motion or tracker (`name`) is used from now on."""
    if name == "camera_motion":
        label = choices.CAMERA_MOTION_LABELS[settings.camera_motion]
        return Message(
            lambda: QCoreApplication.translate("Messages", "Tracking of faces: {0}").format(word(label)), is_note=True
        )
    if name == "tracker":
        tracker = choices.TRACKER_LABELS[settings.tracker]
        return Message(
            lambda: QCoreApplication.translate("Messages", "Tracking of people: {0}").format(word(tracker)),
            is_note=True,
        )
    if name == "method":
        return Message(
            lambda: QCoreApplication.translate("Messages", "Optical flow by: {0}").format(method_text(settings.method)),
            is_note=True,
        )
    return Message(
        lambda: QCoreApplication.translate("Messages", "Networks: {0}").format(
            f"{word(settings.backend)} · {word(settings.precision)}"
        ),
        is_note=True,
    )
