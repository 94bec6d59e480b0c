# SPDX-License-Identifier: Apache-2.0
"""Colours, fonts and the dark look; every text colour has a contrast of at least 4.5:1 on its ground."""

from __future__ import annotations

from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

OKABE_ITO = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
"""Colours that people with any colour vision can tell apart (Okabe and Ito 2008), brightest for dark pictures first."""

WINDOW = "#14171c"
SURFACE = "#1d2229"
RAISED = "#2a313b"
LINE = "#3b4552"
TEXT = "#eceff4"
MUTED = "#aab4c2"
ACCENT = "#56B4E9"
WARNING = "#F0A93B"
RECORDING = "#ff6b6b"

FAMILIES = ("Noto Sans", "DejaVu Sans", "Noto Sans CJK JP", "MotoyaLCedar", "IPAexGothic", "VL PGothic", "sans-serif")
"""Fonts in order of wish; Qt takes each glyph from the first that has it."""

_STYLE = f"""
QMainWindow, QMenuBar, QStatusBar {{ background: {WINDOW}; color: {TEXT}; }}
QMenuBar {{ padding: 2px 4px; }}
QMenuBar::item {{ padding: 5px 10px; border-radius: 4px; background: transparent; }}
QMenuBar::item:selected {{ background: {RAISED}; }}
QMenu {{ background: {SURFACE}; color: {TEXT}; border: 1px solid {LINE}; padding: 4px; }}
QMenu::item {{ padding: 6px 28px 6px 24px; border-radius: 4px; }}
QMenu::item:selected {{ background: {RAISED}; }}
QMenu::item:disabled {{ color: #8b96a5; }}
QMenu::separator {{ height: 1px; background: {LINE}; margin: 4px 8px; }}
QStatusBar {{ border-top: 1px solid {LINE}; }}
QStatusBar::item {{ border: none; }}
QStatusBar QLabel {{ padding: 2px 8px; color: {MUTED}; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {LINE}; padding: 4px; }}
#banner {{ background: {RAISED}; border-bottom: 2px solid {WARNING}; }}
#banner[kind="note"] {{ border-bottom: 2px solid {ACCENT}; }}
#banner QLabel {{ color: {TEXT}; }}
#banner QPushButton {{ background: {SURFACE}; color: {TEXT}; border: 1px solid {LINE}; border-radius: 4px;
    padding: 5px 12px; }}
#banner QPushButton:hover, #banner QPushButton:focus {{ border-color: {ACCENT}; }}
#banner QPushButton:pressed {{ background: {WINDOW}; }}
"""


def font(size_px: int, is_bold: bool = False) -> QFont:
    """Return the program's font, `size_px` pixels high."""
    made = QFont()
    made.setFamilies(list(FAMILIES))
    made.setPixelSize(max(size_px, 1))
    made.setBold(is_bold)
    return made


def dark_palette() -> QPalette:
    """Return the palette of the dark theme."""
    palette = QPalette()
    role = QPalette.ColorRole
    for name, colour in {
        role.Window: WINDOW,
        role.Base: SURFACE,
        role.AlternateBase: RAISED,
        role.Button: RAISED,
        role.ToolTipBase: RAISED,
        role.WindowText: TEXT,
        role.Text: TEXT,
        role.ButtonText: TEXT,
        role.ToolTipText: TEXT,
        role.PlaceholderText: MUTED,
        role.Highlight: "#0072B2",
        role.HighlightedText: "#ffffff",
        role.Link: ACCENT,
    }.items():
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor("#8b96a5"))
    return palette


def apply_theme(app: QApplication, is_kiosk: bool) -> None:
    """Give `app` the dark look; a kiosk is read from further away, so its letters are larger."""
    app.setStyle("Fusion")
    app.setPalette(dark_palette())
    app.setFont(font(20 if is_kiosk else 14))
    app.setStyleSheet(_STYLE)
