# SPDX-License-Identifier: Apache-2.0
"""What the user can keep of the picture: screenshots and videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.ui import messages
from app.ui.banner import Banner
from app.ui.media import free_path, media_folder, save_png
from app.ui.menus import Menus
from app.ui.messages import warned
from app.ui.session import Session
from app.ui.view import VideoView


class MediaSwitches:
    """Screenshots of the view and videos of the session's program, and where they went. Main thread only."""

    def __init__(self, view: VideoView, session: Session, banner: Banner, folder: Callable[[], str]) -> None:
        """`folder` says where files go, "" = the user's pictures folder."""
        self._view, self._session, self._banner, self._folder = view, session, banner, folder

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the table do here."""
        return {"save_screenshot": self.save_screenshot, "toggle_recording": self.toggle_recording}

    def save_screenshot(self) -> None:
        """Write the picture with its overlay as a PNG and say where."""
        picture = self._view.snapshot()
        if picture is None:
            self._banner.tell(messages.nothing_to_save())
            return
        with warned(self._banner):
            path = free_path(media_folder(self._folder()), ".png")
            save_png(picture, path)
            self.tell_saved(path)

    def toggle_recording(self) -> None:
        """Start a video, or finish it and say where it is."""
        program = self._session.program
        if self._session.is_recording:
            self.tell_saved(self.finish_recording())
        elif program is not None:
            with warned(self._banner):
                program.record(free_path(media_folder(self._folder()), ".mp4"))
        self._view.numbers_changed.emit()

    def finish_recording(self) -> Path | None:
        """Finish the video if there is one; return its path."""
        with warned(self._banner):
            return self._session.stop_recording()
        return None

    def tell_saved(self, path: Path | None) -> None:
        """Say where a file went, if there is one."""
        if path is not None:
            self._banner.tell(messages.saved(path))

    def show_in(self, menus: Menus, _task: str) -> None:
        """Check what is on."""
        menus.check("toggle_recording", self._session.is_recording)

    def retranslate(self) -> None:
        """Nothing is written here."""
