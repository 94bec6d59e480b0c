# SPDX-License-Identifier: Apache-2.0
"""A call beside another: its result, its failure, its time limit, and no thread left."""

from __future__ import annotations

import threading

import pytest

from app.runtime.beside import Beside


def test_both_run_at_once_and_the_result_comes_back() -> None:
    met = threading.Barrier(2, timeout=5)

    def call() -> str:
        met.wait()
        return threading.current_thread().name

    beside = Beside("detect", call)
    met.wait()  # would time out if the call waited for `result`
    assert beside.result(5) == "detect"
    assert "detect" not in [thread.name for thread in threading.enumerate()]


def test_a_failure_is_raised_where_the_result_is_wanted() -> None:
    def fail() -> None:
        raise ValueError("no picture")

    beside = Beside("detect", fail)
    with pytest.raises(ValueError, match="no picture"):
        beside.result(5)


def test_a_thread_that_hangs_is_named() -> None:
    go_on = threading.Event()
    beside = Beside("detect", lambda: go_on.wait(10))
    with pytest.raises(TimeoutError, match=r"the detect thread still runs after 0\.05 s"):
        beside.result(0.05)
    go_on.set()
    assert beside.result(5)
