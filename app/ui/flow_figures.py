# SPDX-License-Identifier: Apache-2.0
"""The numbers of a flow as they are written: steady enough to be read, and the scale that follows the motion."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QCoreApplication

from app.frame import FlowOutput, FrameResult

PERIOD_NS = 250_000_000
"""The written numbers are means over so much of the picture's time (the longest motion is the longest of it)."""
FORGET_NS = 1_000_000_000
"""No number is older."""
RISE_S, FALL_S = 0.1, 0.7
"""Time constants of the automatic scale: a sudden motion keeps its colours, a pause does not make noise bright."""
LEAST_SCALE_PX = 1.0
"""Slower motions stay pale, so that noise does not look like motion."""
FAST_PERCENT, HEADROOM = 98, 1.2
"""The automatic scale is this much more than what so much of the picture stays below: a few wild points do not turn the
rest white, and what moves most is seldom beyond the scale."""


class FlowFigures:
    """Collects results in their order, by the time of their pictures; the same one twice counts once."""

    def __init__(self) -> None:
        self.scale_px = LEAST_SCALE_PX
        self._scale, self._scale_ns = 0.0, -FORGET_NS - 1  # as if long ago
        self._last: object = None
        self._begin_ns = 0
        self._collected: list[dict[str, float]] = []
        self._shown: dict[str, float] = {}

    def add(self, result: FrameResult[FlowOutput]) -> None:
        """Take a result that is about to be shown."""
        if result is self._last:
            return
        self._last = result
        now_ns, output = result.frame.t_ns, result.output
        if not 0 <= now_ns - self._begin_ns <= FORGET_NS:
            self._collected, self._shown = [], {}
        values = figures_of(output)
        if values:
            self._collected.append(values)
            self._follow(fast_px(output), now_ns)
        elif output.dt_s == 0:
            self._collected, self._shown = [], {}
        if self._collected and (not self._shown or now_ns - self._begin_ns >= PERIOD_NS):
            self._shown, self._collected, self._begin_ns = summed_up(self._collected), [], now_ns

    def lines(self, is_mirrored: bool) -> list[str]:
        """Return what is written, left and right as they are seen."""
        shown = self._shown
        if not shown:
            return [QCoreApplication.translate("Flow", "no motion known")]
        u, v = (-shown["u"] if is_mirrored else shown["u"]), shown["v"]
        lines = [
            QCoreApplication.translate("Flow", "mean motion {0}, {1}").format(sideways(u), upright(v)),
            QCoreApplication.translate("Flow", "longest {0} px").format(f"{shown['max']:.1f}"),
        ]
        if "epe" in shown:
            lines.append(QCoreApplication.translate("Flow", "error (EPE) {0} px").format(f"{shown['epe']:.2f}"))
        return lines

    def _follow(self, px: float, now_ns: int) -> None:
        """Move the automatic scale towards `px`."""
        gap_s = (now_ns - self._scale_ns) / 1e9
        time_constant_s = RISE_S if px > self._scale else FALL_S
        keep = math.exp(-gap_s / time_constant_s) if 0 <= gap_s <= FORGET_NS / 1e9 else 0.0
        self._scale, self._scale_ns = keep * self._scale + (1 - keep) * px, now_ns
        # Rounded before it is used, so that the legend says what the colours are.
        self.scale_px = max(LEAST_SCALE_PX, round(self._scale, 1) if self._scale < 10 else float(round(self._scale)))


def figures_of(output: FlowOutput) -> dict[str, float]:
    """Return u, v, max and, where it is known, epe, in px; empty where no motion is known."""
    mean_uv, max_px = output.mean_uv(), output.max_px()
    if mean_uv is None or max_px is None:
        return {}
    found = {"u": mean_uv[0], "v": mean_uv[1], "max": max_px}
    return found if output.epe_px is None else {**found, "epe": output.epe_px}


def summed_up(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the means of the rows by name, of "max" the largest."""
    names = {name for row in rows for name in row}
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: max(each) if name == "max" else sum(each) / len(each) for name, each in values.items()}


def fast_px(output: FlowOutput) -> float:
    """Return the scale that would suit this flow alone."""
    uv, valid = output.flow.uv, output.flow.valid
    step = max(1, math.isqrt(valid.size // 10_000)) if valid.all() else 1
    known = uv[::step, ::step].reshape(-1, 2) if step > 1 else uv[valid]
    return HEADROOM * float(np.percentile(np.hypot(known[:, 0], known[:, 1]), FAST_PERCENT))


def sideways(px: float) -> str:
    """Return a motion along x in words."""
    if px < 0:
        return QCoreApplication.translate("Flow", "{0} px left").format(f"{-px:.1f}")
    return QCoreApplication.translate("Flow", "{0} px right").format(f"{px:.1f}")


def upright(px: float) -> str:
    """Return a motion along y, which points down, in words."""
    if px < 0:
        return QCoreApplication.translate("Flow", "{0} px up").format(f"{-px:.1f}")
    return QCoreApplication.translate("Flow", "{0} px down").format(f"{px:.1f}")


def scale_text(px: float) -> str:
    return f"{px:.1f} px" if px < 10 else f"{px:.0f} px"
