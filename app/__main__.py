# SPDX-License-Identifier: Apache-2.0
"""`python -m app`: the program. Exit codes: 0 done, 1 a failure in one sentence on stderr, 2 wrong usage."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from app import cli, config
from app.cli import Command
from app.config import Settings
from device.errors import AppError

# The rest of the program is loaded where it is used: wrong usage is told at once, and whoever presses Ctrl-C while the
# libraries load (a second) gets a sentence too.
if TYPE_CHECKING:
    from app.build import Networks

log = logging.getLogger(__name__)


def process_started_ns() -> int:
    """Return when this process began, on the clock of `time.monotonic_ns` (proc(5), stat field 22; 10 ms steps).

    The start-up time that a user feels includes the interpreter and the imports.
    """
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * 10**9 // os.sysconf("SC_CLK_TCK")
    return time.monotonic_ns() - age_ns


def has_display() -> bool:
    """Whether a window can be shown: X11, Wayland, a frame buffer, or a platform that the user names."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    return named or Path("/dev/fb0").exists()


def without_display(command: Command) -> Command:
    """Return the run for a machine without a screen: headless on the demo, video and figures in out/."""
    settings = command.settings
    if settings.source == "auto":
        settings = dataclasses.replace(settings, source="demo", pace="max")
    record, stats = command.record or Path("out/demo.mp4"), command.stats or Path("out/demo.json")
    print(f"no display was found: running headless on {settings.source}; the video goes to {record}", flush=True)
    return dataclasses.replace(command, settings=settings, is_headless=True, record=record, stats=stats)


def run(command: Command) -> None:
    """Do what was asked for; raises AppError, or TimeoutError when a thread hangs."""
    if command.is_list:
        from app.inventory import inventory, measure_all

        print(inventory(measure_all() if command.is_measure else None))
        return
    if not command.is_headless and not has_display():
        command = without_display(command)
    from app.build import Networks
    from app.output.queued_file import expect_writable

    outputs = {name: getattr(command, name) for name in ("record", "events", "stats", "trace")}
    for flag, output in outputs.items():
        if output is not None:  # all of them before the first is opened, and so emptied
            expect_writable(f"--{flag}", output)
    with Networks() as networks:
        choose_measured(command, networks)
        if command.is_headless:
            headless(command, networks)
        else:
            window(command, networks)


def choose_measured(command: Command, networks: Networks) -> None:
    """Let `auto` go by what was measured: in a window, and headless where that is asked for. Raises AppError.

    Else a script would get another backend, and other last digits, from one machine and day to the next.
    """
    if command.is_headless and not command.is_measure:
        return
    from app.inventory import measure_now
    from app.measured import Measured

    networks.measured = Measured()
    if command.is_measure:
        networks.measured.forget()
    if command.is_headless:
        measure_now(networks.measured, (command.settings.task,))
        print(networks.measured.verdict(command.settings.task, command.settings.precision) or "", file=sys.stderr)


def headless(command: Command, networks: Networks) -> None:
    from app.headless import run_headless, summary

    if command.record is None and command.compare is None:
        print(summary(run_headless(command, networks, None)))
        return
    os.environ["QT_QPA_PLATFORM"] = "offscreen"  # drawing only; must not look for a screen
    from app.ui.run import offscreen_annotate  # Qt is loaded only by runs that draw

    with offscreen_annotate(command.settings.lang) as annotate:
        print(summary(run_headless(command, networks, annotate)))


def window(command: Command, networks: Networks) -> None:
    from app.output.stats import write_statistics
    from app.ui.run import run_window

    def save(settings: Settings) -> None:
        config.save_changes(command.settings, settings, command.settings_path)

    figures = run_window(command, networks, save, process_started_ns())
    if command.stats is not None and figures is not None:
        write_statistics(figures, command.stats)


def main() -> int:
    try:
        command = cli.parse()
        logging.basicConfig(level=logging.DEBUG if command.verbose else logging.WARNING, format="%(message)s")
        run(command)
        sys.stdout.flush()
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    except (
        KeyboardInterrupt
    ):  # a run that has begun takes the signal as a wish to stop, see app.headless and app.ui.run
        print("interrupted, no run was going on", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `python -m app --list | head`: nobody reads on, which is no failure to talk about
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except TimeoutError as error:
        print(f"{error}; leaving without it, what was recorded is whole", file=sys.stderr)
        return 1
    except Exception as error:
        logging.getLogger(__name__).debug("", exc_info=error)
        print(f"internal error: {type(error).__name__}: {error}; run with --verbose for where", file=sys.stderr)
        return 1
    return 0


def leave(code: int) -> NoReturn:
    """End the process, also when a thread hangs: `sys.exit` would wait for it for ever."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.current_thread()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    leave(main())
