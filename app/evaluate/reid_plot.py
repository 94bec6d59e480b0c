# SPDX-License-Identifier: Apache-2.0
"""A picture of the study of looks: IDF1 and identity switches against embeddings a frame, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT, EDGE = 360.0, 260.0, 50.0
LABEL_PX = 26.0
"""Points that lie closer get no figures: they would cover each other."""
INK, IDF1_COLOUR, SWITCH_COLOUR = "#333333", "#0072b2", "#d55e00"


def plot_svg(rows: Sequence[dict[str, Any]]) -> str:
    """Return two panels side by side; `rows` as of `app.evaluate.reid_study.study`, at least one."""
    calls = [float(row["embedding_calls_per_frame"]) for row in rows]
    names = [str(row["way"]) for row in rows]
    idf1 = panel(0.0, "IDF1, %", calls, [100 * float(row["idf1"]) for row in rows], names, IDF1_COLOUR)
    switches = panel(WIDTH, "identity switches", calls, [float(r["id_switches"]) for r in rows], names, SWITCH_COLOUR)
    size = f'width="{2 * WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {2 * WIDTH:g} {HEIGHT:g}"'
    ground = '<rect width="100%" height="100%" fill="white"/>'
    style = 'font-family="sans-serif" font-size="10"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{ground}\n{idf1}\n{switches}\n</svg>\n'


def panel(left: float, title: str, x: list[float], y: list[float], names: list[str], colour: str) -> str:
    """Return one panel; the axis of embeddings is that of (1 + 4 x)^0.4, so that small budgets have room."""
    inner_w, inner_h = WIDTH - 1.6 * EDGE, HEIGHT - 2 * EDGE
    most, low, high = max(max(map(stretched, x)), 1e-9), min(y), max(y)
    room = (high - low) * 0.15 or 1.0
    low, high = low - room, high + room
    places = [
        (left + EDGE + stretched(a) / most * inner_w, EDGE + (high - b) / (high - low) * inner_h)
        for a, b in zip(x, y, strict=True)
    ]
    bottom = EDGE + inner_h
    out = [text(left + EDGE, EDGE - 22, title, "start", colour)]
    out.append(text(left + EDGE + inner_w / 2, HEIGHT - 12, "embeddings a frame", "middle", INK))
    out.append(line(left + EDGE, bottom, left + EDGE + inner_w, bottom, INK))
    out.append(line(left + EDGE, EDGE, left + EDGE, bottom, INK))
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in sorted(places, key=lambda place: place[0]))
    out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    labelled = -LABEL_PX
    for (a, b), calls, value, name in sorted(zip(places, x, y, names, strict=True)):
        out.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"><title>{escape(name)}</title></circle>')
        if name == "sort":
            out.append(text(a + 8, b + 4, f"SORT {value:.1f}", "start", INK))
        elif a - labelled >= LABEL_PX:
            labelled = a
            out.append(text(a, b - 7, f"{value:.1f}", "middle", INK))
            out.append(text(a, bottom + 13, f"{calls:.2g}", "middle", INK))
    return "\n".join(out)


def stretched(calls: float) -> float:
    return math.pow(1.0 + 4.0 * calls, 0.4) - 1.0


def text(x: float, y: float, words: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
