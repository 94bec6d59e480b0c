# SPDX-License-Identifier: Apache-2.0
"""Every text of the user interface is in Japanese, and the compiled file is that of the source file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PySide6.QtCore import QTranslator
from pytestqt.qtbot import QtBot

from app.ui.language import TRANSLATIONS

UI = TRANSLATIONS.parent
TS, QM = TRANSLATIONS / "edge_vision_ja.ts", TRANSLATIONS / "edge_vision_ja.qm"
LRELEASE = Path(sys.executable).with_name("pyside6-lrelease")


def texts_in_code() -> set[tuple[str, str]]:
    """Return (context, text) of every tr, translate and QT_TRANSLATE_NOOP in app/ui."""
    found: set[tuple[str, str]] = set()
    for path in UI.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for owner in [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]:
            calls = [n for n in ast.walk(owner) if isinstance(n, ast.Call) and name_of(n) == "tr"]
            found |= {(owner.name, literal(call.args[0])) for call in calls}
        for call in [n for n in ast.walk(tree) if isinstance(n, ast.Call)]:
            if name_of(call) in ("translate", "QT_TRANSLATE_NOOP") and isinstance(call.args[1], ast.Constant):
                found.add((literal(call.args[0]), literal(call.args[1])))
    return found


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def literal(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant), f"line {node.lineno}: lupdate finds only literal texts"
    return str(node.value)


def messages() -> dict[tuple[str, str], ET.Element]:
    found = {}
    for context in ET.parse(TS).getroot().iter("context"):
        for message in context.iter("message"):
            found[context.findtext("name", ""), message.findtext("source", "")] = message
    return found


def test_every_text_is_translated_and_nothing_else() -> None:
    assert len(texts_in_code()) > 90
    assert set(messages()) == texts_in_code()
    for (context, text), message in messages().items():
        translation = message.find("translation")
        assert translation is not None
        assert translation.get("type") is None, f"{context}: {text} is not finished"
        assert sorted(re.findall(r"{\d}", translation.text or "")) == sorted(re.findall(r"{\d}", text))
        assert translation.text


@pytest.mark.skipif(not LRELEASE.exists(), reason="pyside6-lrelease is not beside this Python")
def test_compiled_file_is_up_to_date(qtbot: QtBot, tmp_path: Path) -> None:
    fresh_path = tmp_path / "fresh.qm"
    subprocess.run([LRELEASE, TS, "-qm", fresh_path], check=True, capture_output=True, timeout=60)
    kept, fresh = QTranslator(), QTranslator()
    assert kept.load(str(QM))
    assert fresh.load(str(fresh_path))
    for (context, text), message in messages().items():
        assert kept.translate(context, text) == fresh.translate(context, text) == message.findtext("translation")
