# SPDX-License-Identifier: Apache-2.0
"""Where screenshots and recordings go, and how a picture is written so that a full disk leaves no half file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QDateTime, QIODevice, QSaveFile, QStandardPaths
from PySide6.QtGui import QImage, QImageWriter

from device.errors import AppError

PNG_QUALITY = 80  # zlib level 1; measured at 1280x960: 106 ms, Qt's own choice 129 ms


class MediaError(AppError):
    """A picture or video could not be written."""


def media_folder(wanted: str) -> Path:
    """Return `wanted`, or the user's pictures folder for ""; it is made if missing. Raises MediaError."""
    pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
    folder = Path(wanted or pictures or Path.home())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(
            f"cannot make the folder {folder}: {error.strerror}; set media_folder in the settings file"
        ) from error
    return folder


def free_path(folder: Path, suffix: str) -> Path:
    """Return a path with the time of day in its name at which there is no file yet."""
    stem = "edge-vision_" + QDateTime.currentDateTime().toString("yyyyMMdd_HHmmss")
    path, count = folder / f"{stem}{suffix}", 1
    while path.exists():
        count += 1
        path = folder / f"{stem}_{count}{suffix}"
    return path


def save_png(picture: QImage, path: Path) -> None:
    """Write `path` atomically: it is whole or absent. Raises MediaError."""
    file = QSaveFile(str(path))
    is_written = file.open(QIODevice.OpenModeFlag.WriteOnly) and _write_png(picture, file) and file.commit()
    if not is_written:
        raise MediaError(f"cannot write {path}: {file.errorString()}; choose another media_folder or free some space")


def _write_png(picture: QImage, file: QSaveFile) -> bool:
    writer = QImageWriter(file, QByteArray(b"PNG"))
    writer.setQuality(PNG_QUALITY)
    return writer.write(picture)
