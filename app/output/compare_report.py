# SPDX-License-Identifier: Apache-2.0
"""A comparison of two backends and precisions as a JSON object, and as one HTML page with the worst disagreements."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import Any

import cv2

from app.compare.agreement import MEASURES
from app.compare.second_path import Disagreement, SecondPath
from app.frame import FrameResult
from app.output.queued_file import OutputError
from app.output.recorder import Annotate

SCHEMA = 1
JSON_NAME, HTML_NAME = "compare.json", "compare.html"
JPEG_QUALITY = 88
STYLE = """body{font:16px sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#1b1f24}
table{border-collapse:collapse}td,th{padding:.3em .9em;border-bottom:1px solid #ccd;text-align:left}
img{width:49%}figure{margin:1.5em 0}figcaption{color:#555}"""


def comparison(path: SecondPath, task: str, first: tuple[str, str]) -> dict[str, Any]:
    """Return the figures of a whole run; `first` is backend and precision of the first path, as used at the end."""
    found = path.figures.whole()
    names = ("first", "second")
    sides = [
        {"backend": b, "precision": p, "network_ms_p50": round(ms, 4), "network_cpu_ms_p50": round(cpu, 4)}
        for (b, p), ms, cpu in zip((first, path.in_use), found.network_ms, found.cpu_ms, strict=True)
    ]
    return {
        "schema": SCHEMA,
        "task": task,
        **dict(zip(names, sides, strict=True)),
        "frames": found.n_frames,
        "n": found.n,
        "agreement": rounded(found.agreement),
        "measure": MEASURES[task],
        "value": rounded(found.value),
        "class_flips": dict(zip(names, found.flips, strict=True)) if task == "expression" else None,
        "epe_px": None if found.epe_px is None else dict(zip(names, map(rounded, found.epe_px), strict=True)),
        "speed_ratio": rounded(found.speed_ratio),
        "worst": [
            {"seq": entry.first.frame.seq, "t_ns": entry.first.frame.t_ns, "badness": rounded(entry.badness)}
            for entry in path.worst
        ],
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def write_report(figures: dict[str, Any], worst: list[Disagreement], annotate: Annotate, folder: Path) -> Path:
    """Write both files into `folder` and return the page; raises OutputError."""
    page = folder / HTML_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JSON_NAME).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        page.write_text(html_page(figures, worst, annotate), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the comparison to {page}: {error.strerror}; choose another place") from error
    return page


def html_page(figures: dict[str, Any], worst: list[Disagreement], annotate: Annotate) -> str:
    """Return the page: pictures are inside, nothing is loaded from elsewhere."""
    first, second = ("{backend} {precision}".format(**figures[side]) for side in ("first", "second"))
    title = html.escape(f"{figures['task']}: {first} and {second} on the same frames")
    rows = "".join(
        f"<tr><td>{html.escape(name.replace('_', ' '))}<td>{html.escape(text_of(value))}</tr>"
        for name, value in figures.items()
        if name not in ("schema", "worst") and value is not None
    )
    pictures = "".join(
        f"<figure><img src='{jpeg(entry.first, annotate)}' alt='{first}'> "
        f"<img src='{jpeg(entry.second, annotate)}' alt='{second}'>"
        f"<figcaption>frame {entry.first.frame.seq}: left {first}, right {second}</figcaption></figure>"
        for entry in worst
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title><style>{STYLE}</style>"
        f"<h1>{title}</h1><table>{rows}</table><h2>Largest disagreements</h2>{pictures or '<p>none</p>'}</html>\n"
    )


def text_of(value: Any) -> str:
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, dict) else str(value)


def jpeg(result: FrameResult[Any], annotate: Annotate) -> str:
    """Return the annotated picture as an address that holds its bytes."""
    picture = cv2.cvtColor(annotate(result), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
