# SPDX-License-Identifier: Apache-2.0
"""The one table of what the user can do: menus, keys and the help overlay are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.ui.words import QT_TRANSLATE_NOOP

TASK_PREFIX = "task_"


@dataclass(frozen=True)
class ActionSpec:
    """One action; `name` is that of the method of `MainWindow`, `FlowSwitches` or `MotionSwitches` that does it.

    `text` and `tip` are English sources.
    """

    name: str
    menu: str
    text: str
    tip: str
    keys: tuple[str, ...]
    is_checkable: bool = False

    def shown_text(self) -> str:
        """Return the text in the present language."""
        return QCoreApplication.translate("Actions", self.text)

    def shown_tip(self) -> str:
        """Return the tip in the present language."""
        return QCoreApplication.translate("Actions", self.tip)


MENUS: dict[str, str] = {
    "file": QT_TRANSLATE_NOOP("Actions", "File"),
    "task": QT_TRANSLATE_NOOP("Actions", "Task"),
    "network": QT_TRANSLATE_NOOP("Actions", "Network"),
    "motion": QT_TRANSLATE_NOOP("Actions", "Motion"),
    "view": QT_TRANSLATE_NOOP("Actions", "View"),
    "help": QT_TRANSLATE_NOOP("Actions", "Help"),
}

ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "open_file",
        "file",
        QT_TRANSLATE_NOOP("Actions", "Open file..."),
        QT_TRANSLATE_NOOP("Actions", "Play a video file"),
        ("O",),
    ),
    ActionSpec(
        "save_screenshot",
        "file",
        QT_TRANSLATE_NOOP("Actions", "Screenshot"),
        QT_TRANSLATE_NOOP("Actions", "Save the picture with its overlay as a PNG file"),
        ("S",),
    ),
    ActionSpec(
        "toggle_recording",
        "file",
        QT_TRANSLATE_NOOP("Actions", "Record"),
        QT_TRANSLATE_NOOP("Actions", "Start or stop a video of the picture with its overlay"),
        ("R",),
        is_checkable=True,
    ),
    ActionSpec(
        "save_trace",
        "file",
        QT_TRANSLATE_NOOP("Actions", "Save trace"),
        QT_TRANSLATE_NOOP("Actions", "Save what each thread did in the last minute, for Perfetto"),
        ("Ctrl+T",),
    ),
    ActionSpec(
        "quit",
        "file",
        QT_TRANSLATE_NOOP("Actions", "Quit"),
        QT_TRANSLATE_NOOP("Actions", "Stop the program and save the settings"),
        ("Q", "Esc"),
    ),
    ActionSpec(
        TASK_PREFIX + "expression",
        "task",
        QT_TRANSLATE_NOOP("Actions", "Expression"),
        QT_TRANSLATE_NOOP("Actions", "Find faces, number them and read their expression"),
        ("1",),
        is_checkable=True,
    ),
    ActionSpec(
        TASK_PREFIX + "face",
        "task",
        QT_TRANSLATE_NOOP("Actions", "Face parameters"),
        QT_TRANSLATE_NOOP("Actions", "Face parameters and the direction of the head"),
        ("2",),
        is_checkable=True,
    ),
    ActionSpec(
        TASK_PREFIX + "flow",
        "task",
        QT_TRANSLATE_NOOP("Actions", "Optical flow"),
        QT_TRANSLATE_NOOP("Actions", "How every point of the picture moves"),
        ("3",),
        is_checkable=True,
    ),
    ActionSpec(
        TASK_PREFIX + "pose",
        "task",
        QT_TRANSLATE_NOOP("Actions", "Body pose"),
        QT_TRANSLATE_NOOP("Actions", "The joints of every person"),
        ("4",),
        is_checkable=True,
    ),
    ActionSpec(
        TASK_PREFIX + "identity",
        "task",
        QT_TRANSLATE_NOOP("Actions", "Identity"),
        QT_TRANSLATE_NOOP("Actions", "Recognise enrolled persons"),
        ("5",),
        is_checkable=True,
    ),
    ActionSpec(
        "next_backend",
        "network",
        QT_TRANSLATE_NOOP("Actions", "Next backend"),
        QT_TRANSLATE_NOOP("Actions", "Run the networks on the next available device"),
        ("B",),
    ),
    ActionSpec(
        "next_precision",
        "network",
        QT_TRANSLATE_NOOP("Actions", "Next precision"),
        QT_TRANSLATE_NOOP("Actions", "Switch between float and quantised networks while running"),
        ("T",),
    ),
    ActionSpec(
        "toggle_models",
        "network",
        QT_TRANSLATE_NOOP("Actions", "Models"),
        QT_TRANSLATE_NOOP("Actions", "What the task's networks are, and what goes on between their low-bit layers"),
        ("I",),
        is_checkable=True,
    ),
    ActionSpec(
        "measure_backends",
        "network",
        QT_TRANSLATE_NOOP("Actions", "Measure backends"),
        QT_TRANSLATE_NOOP("Actions", "Time the task's networks on every backend anew; Automatic uses the fastest"),
        ("Shift+B",),
    ),
    ActionSpec(
        "next_method",
        "network",
        QT_TRANSLATE_NOOP("Actions", "Next flow method"),
        QT_TRANSLATE_NOOP("Actions", "Optical flow by the network, DIS, Farneback or Lucas-Kanade"),
        ("N",),
    ),
    ActionSpec(
        "next_compare",
        "network",
        QT_TRANSLATE_NOOP("Actions", "Compare"),
        QT_TRANSLATE_NOOP("Actions", "The same frame through a second network: a divider to drag, or side by side"),
        ("C",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_arrows",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Flow arrows"),
        QT_TRANSLATE_NOOP("Actions", "Draw arrows along the optical flow"),
        ("A",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_alone",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Flow alone"),
        QT_TRANSLATE_NOOP("Actions", "Show the colours of the flow without the picture, white where nothing moves"),
        ("V",),
        is_checkable=True,
    ),
    ActionSpec(
        "next_scale",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Next flow scale"),
        QT_TRANSLATE_NOOP("Actions", "Which motion has its full colour: automatic, 2, 5, 10 or 20 px"),
        ("Z",),
    ),
    ActionSpec(
        "toggle_zones",
        "motion",
        QT_TRANSLATE_NOOP("Actions", "Draw zones"),
        QT_TRANSLATE_NOOP(
            "Actions", "Drag rectangles that light up while something moves, or somebody is, in them; Esc ends it"
        ),
        ("E",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_lines",
        "motion",
        QT_TRANSLATE_NOOP("Actions", "Draw counting lines"),
        QT_TRANSLATE_NOOP("Actions", "Drag lines at which people are counted, in and out; Esc ends it"),
        ("Shift+E",),
        is_checkable=True,
    ),
    ActionSpec(
        "remove_zone",
        "motion",
        QT_TRANSLATE_NOOP("Actions", "Remove zone"),
        QT_TRANSLATE_NOOP("Actions", "Remove the zone or line under the mouse while drawing, else the newest one"),
        ("Del",),
    ),
    ActionSpec(
        "remove_zones",
        "motion",
        QT_TRANSLATE_NOOP("Actions", "Remove all zones"),
        QT_TRANSLATE_NOOP("Actions", "Remove every zone and line of the picture"),
        ("Shift+Del",),
    ),
    ActionSpec(
        "toggle_pages",
        "motion",
        QT_TRANSLATE_NOOP("Actions", "Pages"),
        QT_TRANSLATE_NOOP("Actions", "Show pages that swipes of a hand turn"),
        ("W",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_steady",
        "motion",
        QT_TRANSLATE_NOOP("Actions", "Steady picture"),
        QT_TRANSLATE_NOOP("Actions", "Take the shaking of the camera out of the picture and of what is recorded"),
        ("K",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_ledger",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Latency"),
        QT_TRANSLATE_NOOP("Actions", "Where the time from capture to paint goes, and the numbers of the last minute"),
        ("G",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_pause",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Pause"),
        QT_TRANSLATE_NOOP("Actions", "Hold the picture or go on"),
        ("Space",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_full_screen",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Full screen"),
        QT_TRANSLATE_NOOP("Actions", "Fill the screen with the picture or go back to the window"),
        ("F",),
        is_checkable=True,
    ),
    ActionSpec(
        "toggle_mirror",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Mirror"),
        QT_TRANSLATE_NOOP("Actions", "Show the picture as in a mirror; files are not mirrored"),
        ("M",),
        is_checkable=True,
    ),
    ActionSpec(
        "next_language",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Switch language"),
        QT_TRANSLATE_NOOP("Actions", "Change between English and Japanese"),
        ("L",),
    ),
    ActionSpec(
        "toggle_help",
        "help",
        QT_TRANSLATE_NOOP("Actions", "Keys"),
        QT_TRANSLATE_NOOP("Actions", "Show or hide all keys"),
        ("H", "?"),
        is_checkable=True,
    ),
)


def menu_title(menu: str) -> str:
    """Return the title of a menu in the present language."""
    return QCoreApplication.translate("Actions", MENUS[menu])
