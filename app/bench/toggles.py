# SPDX-License-Identifier: Apache-2.0
"""`python -m app.bench.toggles`: a window in which precision, backend and compare are switched again and again.

Needs a screen, a virtual one will do. Prints gaps between painted frames, how long the main thread was kept, memory,
and the latency ledger, as one JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from typing import Any

import numpy as np

from app.build import Networks
from app.config import TASKS, Settings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.bench.toggles", description=__doc__)
    parser.add_argument("--toggles", type=int, default=100)
    parser.add_argument("--period-ms", type=int, default=200, help="between two of them")
    parser.add_argument("--source", default="demo")
    parser.add_argument("--task", choices=TASKS, default="expression")
    arguments = parser.parse_args()
    settings = Settings(source=arguments.source, task=arguments.task)
    print(json.dumps(toggled(settings, arguments.toggles, arguments.period_ms), indent=2))
    return 0


def toggled(settings: Settings, n_toggles: int, period_ms: int) -> dict[str, Any]:
    """Return the figures of a run; raises RuntimeError where nothing was painted."""
    from app.ui.run import application  # Qt is loaded only by runs that draw
    from app.ui.toggle_driver import ToggleDriver
    from app.ui.window import MainWindow

    app = application()
    with Networks() as networks:
        window = MainWindow(networks, settings, lambda _settings: None)
        driver = ToggleDriver(window, n_toggles, period_ms)
        begin_s = time.monotonic()
        window.show()
        app.exec()
        found = driver.found
    if not found.gap_ms or found.ledger is None:
        raise RuntimeError(f"nothing was painted of {settings.source}: {window.error or 'closed early'}")
    return {
        "task": settings.task,
        "toggles": len(found.toggle_ms),
        "wall_s": round(time.monotonic() - begin_s, 1),
        "load": round(os.getloadavg()[0], 2),
        "gap_ms": dict(
            zip(("p50", "p99", "max"), np.percentile(found.gap_ms, [50, 99, 100]).round(1).tolist(), strict=True)
        ),
        "toggle_ms_max": round(max(found.toggle_ms), 1),
        "busy_ms_max": round(found.busy_ms, 1),
        "rss_mb": {"settled": round(found.rss_mb[0], 1), "end": round(found.rss_mb[1], 1)},
        "ledger": dataclasses.asdict(found.ledger),
    }


if __name__ == "__main__":
    raise SystemExit(main())
