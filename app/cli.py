# SPDX-License-Identifier: Apache-2.0
"""The command line of `python -m app`: flags, their checks, and what they become."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from app import config
from app.compare.pair import Pair, parse_pair
from app.config import ConfigError, Settings
from app.replay.session_folder import load_description


@dataclass(frozen=True)
class Command:
    """What the user asked for: settings, and what only holds for this run.

    Raises ConfigError when an output would overwrite the source, the settings, the zones or another output, and for
    zones that a run without a window would not use.
    """

    settings: Settings
    settings_path: Path
    notice: str | None
    is_headless: bool
    is_list: bool
    frames: int | None
    record: Path | None
    events: Path | None
    stats: Path | None
    compare: Pair | None
    verbose: bool
    zones: Path | None = None
    is_measure: bool = False
    trace: Path | None = None
    record_session: Path | None = None
    is_check: bool = False  # compare a replay with what was recorded

    def __post_init__(self) -> None:
        files = {
            "--record": self.record,
            "--events": self.events,
            "--stats": self.stats,
            "--source": Path(self.settings.source) if self.settings.source else None,
            "--trace": self.trace,
            "--config": self.settings_path,
            "--zones": self.zones,
        }
        named = [(flag, path) for flag, path in files.items() if path is not None]
        for (output, path), (other, there) in combinations(named, 2):
            if output not in ("--source", "--config", "--zones") and is_same_file(path, there):
                raise ConfigError(f"{output} {path} would overwrite the file of {other}; choose another place for one")
        task = self.settings.task
        if self.is_headless and self.zones is not None and task not in ("flow", "pose"):
            raise ConfigError(
                f"--zones {self.zones}: task {task} watches no zones; add --task flow or pose, or leave it out"
            )


def is_same_file(a: Path, b: Path) -> bool:
    """Whether writing to `a` changes `b`; devices such as /dev/null may be named twice."""
    if os.path.exists(a) and os.path.exists(b):  # noqa: PTH110  (Path.exists raises for a name that is too long)
        return a.is_file() and a.samefile(b)
    return os.path.realpath(a) == os.path.realpath(b)


def pair(text: str) -> Pair:
    try:
        return parse_pair(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return number


def parser() -> argparse.ArgumentParser:
    """Return the parser; it knows every choice of the contract, what this version lacks is refused with a reason."""
    out = argparse.ArgumentParser(
        prog="python -m app", description="Expressions of faces, optical flow and poses of people, from a camera."
    )
    out.add_argument(
        "--source",
        metavar="auto|demo|synthetic[:SEED]|synthetic-top[:SEED]|camera:N|PATH",
        help="where frames come from",
    )
    out.add_argument("--task", choices=config.TASKS, help="what is looked for")
    out.add_argument("--precision", choices=config.PRECISIONS, help="arithmetic of the task's network")
    out.add_argument("--backend", choices=config.BACKENDS, help="what runs it; a named one is never replaced")
    out.add_argument(
        "--method",
        choices=config.METHODS,
        help="of task flow: its network, or DIS, Farneback, Lucas-Kanade, which use neither --precision nor --backend",
    )
    out.add_argument(
        "--tracker",
        choices=config.TRACKERS,
        help="of task pose: hybrid also looks at people where boxes leave a doubt who is who",
    )
    out.add_argument(
        "--camera-motion",
        choices=config.CAMERA_MOTIONS,
        help="of task expression: lk tells the tracker how a camera that is carried moves (by Lucas-Kanade corners)",
    )
    out.add_argument(
        "--detect-every",
        type=count,
        metavar="N",
        help="of task pose: look for people in every N-th frame, follow them in between",
    )
    out.add_argument(
        "--view",
        choices=config.VIEWS,
        help="of task pose: eye = at the height of people, high = aslant from above (small people, searched in tiles), "
        "top = straight down from the ceiling (searched in turned tiles)",
    )
    out.add_argument("--rotate", type=float, metavar="DEG", help="turn the picture clockwise before anything else")
    out.add_argument(
        "--fisheye",
        metavar="F[,X,Y]",
        help="take the bend of an equidistant fisheye lens out of the picture: focal length in widths of the picture, "
        "and its centre in shares of it (default: the middle)",
    )
    out.add_argument("--roi", metavar="X,Y,W,H", help="use this part of the picture only, in shares of it")
    out.add_argument("--steady", action="store_true", default=None, help="show and record a steadied picture")
    add_run_flags(out)
    return out


def add_run_flags(out: argparse.ArgumentParser) -> None:
    """Add the flags of a run: what it writes, what it looks at, where its settings are."""
    out.add_argument("--headless", action="store_true", help="no window: for servers, scripts and tests")
    out.add_argument("--frames", type=count, metavar="N", help="end after N captured frames")
    out.add_argument("--pace", choices=config.PACES, help="max: every frame in order, as fast as possible")
    out.add_argument("--record", type=Path, metavar="OUT.mp4", help="video of the annotated picture")
    out.add_argument("--events", type=Path, metavar="OUT.jsonl", help="one JSON object a frame")
    out.add_argument(
        "--record-session",
        type=Path,
        metavar="DIR",
        help="keep frames, conditions and events in a new folder: `python -m app replay DIR [--check]` runs them again",
    )
    out.add_argument(
        "--trace", type=Path, metavar="OUT.json", help="what each thread did in the last minute, for Perfetto"
    )
    out.add_argument("--stats", type=Path, metavar="OUT.json", help="figures of the run")
    out.add_argument(
        "--zones",
        type=Path,
        metavar="FILE",
        help="of task flow: zones of the picture to watch for motion; of task pose: zones and lines at which people "
        "are counted; as the window draws and keeps them (zones.json beside the settings); events go to --events",
    )
    out.add_argument(
        "--compare",
        type=pair,
        metavar="BACKEND:PRECISION",
        help="send the frames through a second backend and precision too; headless: writes compare.json and "
        "compare.html beside --stats, else into out/",
    )
    out.add_argument("--kiosk", action="store_true", default=None, help="full screen, no menus, no cursor")
    out.add_argument("--lang", choices=config.LANGUAGES, help="language of the window")
    out.add_argument("--config", type=Path, metavar="FILE", help="settings file (default: the user's own)")
    out.add_argument("--list", action="store_true", help="devices, backends with reasons, models")
    out.add_argument(
        "--measure",
        action="store_true",
        help="time the task's networks on every backend anew; --backend auto then uses the fastest (the window does so "
        "at first use, --headless only with this flag: a script always gets the same); with --list: of every task",
    )
    out.add_argument("--verbose", action="store_true", help="log what is chosen and why")


def replay_parser() -> argparse.ArgumentParser:
    """Return the parser of `python -m app replay`."""
    out = argparse.ArgumentParser(prog="python -m app replay", description="Run a recorded session again.")
    out.add_argument("folder", type=Path, metavar="DIR", help="what --record-session has written")
    out.add_argument("--check", action="store_true", help="headless: compare every event with the recorded one")
    out.add_argument("--headless", action="store_true", help="no window")
    out.add_argument("--backend", choices=config.BACKENDS, help="run all on this one instead of those recorded")
    for flag, kind in (("--record", "OUT.mp4"), ("--events", "OUT.jsonl"), ("--stats", "OUT.json")):
        out.add_argument(flag, type=Path, metavar=kind, help="as of a run")
    out.add_argument("--lang", choices=config.LANGUAGES, default="en", help="language of the window")
    out.add_argument("--verbose", action="store_true", help="log what is chosen and why")
    return out


def parse_replay(arguments: list[str]) -> Command:
    """Return the command of a replay: the recorded settings, over the recorded frames. Raises ReplayError, ConfigError.

    A window shows the frames at their own times, each of them; without one they come as fast as they can.
    """
    given = replay_parser().parse_args(arguments)
    recorded = config.parse(dict(load_description(given.folder).settings), given.folder)
    settings = dataclasses.replace(
        recorded,
        source=f"replay:{given.folder}",
        backend=given.backend or recorded.backend,
        pace="max" if given.headless or given.check else "realtime",
        lang=given.lang,
        rotate=0.0,
        fisheye="",
        roi="",
    )
    return Command(
        settings=settings,
        settings_path=config.default_path(),
        notice=None,
        is_headless=given.headless or given.check,
        is_list=False,
        frames=None,
        record=given.record,
        events=given.events,
        stats=given.stats,
        compare=None,
        verbose=given.verbose,
        is_check=given.check,
    )


def parse(arguments: list[str] | None = None) -> Command:
    """Return the command; wrong usage ends the process with code 2.

    Raises ConfigError for a broken --config FILE or a tracker that the task has not, ReplayError for a broken session.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["replay"]:
        return parse_replay(arguments[1:])
    given = parser().parse_args(arguments)
    path = given.config or config.default_path()
    notice = None
    if given.config is not None:
        stored = config.load(given.config)
    else:
        # A headless run is a script's: what somebody last clicked in a window must not change what it does.
        stored, notice = (Settings(), None) if given.headless else config.load_or_default(path)
    names = [field.name for field in dataclasses.fields(Settings)]
    flags = {name: getattr(given, name) for name in names if getattr(given, name, None) is not None}
    settings = dataclasses.replace(stored, **flags)
    if given.tracker == "hybrid" and settings.task != "pose":
        raise ConfigError(
            f"--tracker hybrid: task {settings.task} follows nobody by looks; add --task pose, or use --tracker sort"
        )
    return Command(
        settings=settings,
        settings_path=path,
        notice=notice,
        is_headless=given.headless,
        is_list=given.list,
        frames=given.frames,
        record=given.record,
        events=given.events,
        stats=given.stats,
        compare=given.compare,
        verbose=given.verbose,
        zones=given.zones,
        is_measure=given.measure,
        trace=given.trace,
        record_session=given.record_session,
    )
