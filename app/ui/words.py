# SPDX-License-Identifier: Apache-2.0
"""Words the program shows for names that its other parts use: tasks, backends, precisions, expressions, stages.

The names in the tables are marked for translation here and translated at each call, so that a change of language
holds at once. Any thread may call.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from device.backend import Cycles


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:
    """Mark `text` for lupdate, which looks for this very name (Qt's own returns `object` for a type checker)."""
    return text


WORDS: dict[str, str] = {
    "angry": QT_TRANSLATE_NOOP("Words", "Angry"),
    "disgust": QT_TRANSLATE_NOOP("Words", "Disgust"),
    "fear": QT_TRANSLATE_NOOP("Words", "Fear"),
    "happy": QT_TRANSLATE_NOOP("Words", "Happy"),
    "sad": QT_TRANSLATE_NOOP("Words", "Sad"),
    "surprise": QT_TRANSLATE_NOOP("Words", "Surprise"),
    "neutral": QT_TRANSLATE_NOOP("Words", "Neutral"),
    "expression": QT_TRANSLATE_NOOP("Words", "Expression"),
    "face": QT_TRANSLATE_NOOP("Words", "Face parameters"),
    "flow": QT_TRANSLATE_NOOP("Words", "Optical flow"),
    "pose": QT_TRANSLATE_NOOP("Words", "Body pose"),
    "identity": QT_TRANSLATE_NOOP("Words", "Identity"),
    "auto": QT_TRANSLATE_NOOP("Words", "Automatic"),
    "cpu": QT_TRANSLATE_NOOP("Words", "CPU"),
    "gpu": QT_TRANSLATE_NOOP("Words", "GPU"),
    "lowbit": QT_TRANSLATE_NOOP("Words", "CPU, low-bit"),
    "fpga": QT_TRANSLATE_NOOP("Words", "FPGA"),
    "fpga-sim": QT_TRANSLATE_NOOP("Words", "FPGA, simulated"),
    "float": QT_TRANSLATE_NOOP("Words", "float"),
    "int8": QT_TRANSLATE_NOOP("Words", "int8"),
    "w1a2": QT_TRANSLATE_NOOP("Words", "W1A2"),
    "net": QT_TRANSLATE_NOOP("Words", "Network"),
    "dis": QT_TRANSLATE_NOOP("Words", "DIS"),
    "farneback": QT_TRANSLATE_NOOP("Words", "Farneback"),
    "lk": QT_TRANSLATE_NOOP("Words", "Lucas-Kanade"),
    "demo": QT_TRANSLATE_NOOP("Words", "Demo clip"),
    "synthetic": QT_TRANSLATE_NOOP("Words", "Synthetic scene"),
    "by place (SORT)": QT_TRANSLATE_NOOP("Words", "By place (SORT)"),
    "by place, by looks in doubt (hybrid)": QT_TRANSLATE_NOOP("Words", "By place, by looks in doubt (hybrid)"),
    "camera stands still": QT_TRANSLATE_NOOP("Words", "Camera stands still"),
    "camera is moved (Lucas-Kanade)": QT_TRANSLATE_NOOP("Words", "Camera is moved (Lucas-Kanade)"),
}
STAGES: dict[str, str] = {
    "capture": QT_TRANSLATE_NOOP("Stages", "capture"),
    "detect": QT_TRANSLATE_NOOP("Stages", "detect"),
    "track": QT_TRANSLATE_NOOP("Stages", "track"),
    "expression": QT_TRANSLATE_NOOP("Stages", "expression"),
    "smooth": QT_TRANSLATE_NOOP("Stages", "smooth"),
    "pose": QT_TRANSLATE_NOOP("Stages", "pose"),
    "flow": QT_TRANSLATE_NOOP("Stages", "flow"),
    "compare": QT_TRANSLATE_NOOP("Stages", "compare with truth"),
    "motion": QT_TRANSLATE_NOOP("Stages", "motion"),
    "count": QT_TRANSLATE_NOOP("Stages", "count"),
    "camera": QT_TRANSLATE_NOOP("Stages", "camera motion"),
    "stabilise": QT_TRANSLATE_NOOP("Stages", "stabilise"),
}


def word(name: str) -> str:
    """Return the word for `name` in the present language; an unknown name is shown as it is.

    A pair "cpu:int8" is shown by the words of its parts.
    """
    if ":" in name and all(part in WORDS for part in name.split(":")):
        return " · ".join(word(part) for part in name.split(":"))
    source = WORDS.get(name)
    return name if source is None else QCoreApplication.translate("Words", source)


def stage_word(name: str) -> str:
    """Return the word for a stage of a task in the present language; an unknown name is shown as it is."""
    source = STAGES.get(name)
    return name if source is None else QCoreApplication.translate("Stages", source)


def method_text(method: str) -> str:
    """Return what a flow comes from: "DIS · no network", or "Network"."""
    if method == "net":
        return word(method)
    return QCoreApplication.translate("Words", "{0} · no network").format(word(method))


def network_text(method: str, backend: str, precision: str) -> str:
    """Return the network in use, by its backend and precision; `method` is that of a flow, "" of another task."""
    return f"{word(backend)} · {word(precision)}" if method in ("", "net") else method_text(method)


def cycles_text(backend: str, cycles: Cycles, is_short: bool = False) -> str:
    """Return what an accelerator counted in one inference; the time of a simulated one is at an assumed clock.

    `is_short` leaves out that it is simulated, for where the name of the backend stands beside it.
    """
    if backend == "fpga-sim" and not is_short:
        shown = QCoreApplication.translate("Words", "simulated accelerator: {0} cycles = {1} ms at {2} MHz")
    elif backend == "fpga-sim":
        shown = QCoreApplication.translate("Words", "{0} cycles = {1} ms at {2} MHz")
    else:
        shown = QCoreApplication.translate("Words", "{0} cycles = {1} ms")
    return shown.format(f"{cycles.n:,}", f"{cycles.ms:.2f}", f"{cycles.clock_hz / 1e6:.0f}")
