# SPDX-License-Identifier: Apache-2.0
"""The three mailboxes: what is kept, who waits, and how they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.runtime.latest import Bounded, Closed, InOrder, Latest, Mailbox
from tests.app.runtime.scripted import WAIT_S, wait_until

KINDS: dict[str, Callable[[], Mailbox[int]]] = {"latest": Latest, "in order": InOrder, "bounded": Bounded}
EACH = pytest.mark.parametrize("mailbox", [pytest.param(kind, id=name) for name, kind in KINDS.items()])


class Call:
    """A call in a thread of its own: what it returned or raised, once it did."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.outcome: list[Any] = []
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome.append(self._call())
        except (Closed, TimeoutError) as error:
            self.outcome.append(type(error))

    def is_waiting(self, for_s: float = 0.05) -> bool:
        """Whether the call still has not returned after `for_s`."""
        time.sleep(for_s)
        return not self.outcome

    def result(self) -> Any:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the call never returned"
        return self.outcome[0]


@EACH
def test_put_tells_whether_the_reader_needs_waking(mailbox: Callable[[], Mailbox[int]]) -> None:
    box = mailbox()
    assert box.put(1)
    assert not box.put(2)
    while box.get(0) != 2:
        pass
    assert box.put(3)


@EACH
def test_get_waits_for_an_item(mailbox: Callable[[], Mailbox[int]]) -> None:
    box = mailbox()
    call = Call(box.get)
    assert call.is_waiting()
    box.put(5)
    assert call.result() == 5


@EACH
def test_get_gives_up_after_its_time(mailbox: Callable[[], Mailbox[int]]) -> None:
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        mailbox().get(0.05)
    assert time.monotonic() - began_s >= 0.05


@EACH
def test_finish_leaves_what_is_stored_then_ends(mailbox: Callable[[], Mailbox[int]]) -> None:
    box = mailbox()
    box.put(7)
    box.finish()
    with pytest.raises(Closed):
        box.put(8)
    assert box.get(0) == 7
    with pytest.raises(Closed):
        box.get(0)


@EACH
def test_close_forgets_what_is_stored(mailbox: Callable[[], Mailbox[int]]) -> None:
    box = mailbox()
    box.put(7)
    box.close()
    box.close()
    with pytest.raises(Closed):
        box.get(0)
    with pytest.raises(Closed):
        box.put(8)


@EACH
@pytest.mark.parametrize("end", ["finish", "close"])
def test_the_end_wakes_every_waiting_reader(mailbox: Callable[[], Mailbox[int]], end: str) -> None:
    box = mailbox()
    calls = [Call(box.get) for _ in range(3)]
    assert all(call.is_waiting(0.02) for call in calls)
    getattr(box, end)()
    assert [call.result() for call in calls] == [Closed] * 3


def test_latest_keeps_the_newest_and_counts_the_rest() -> None:
    box = Latest[int]()
    for item in range(5):
        box.put(item)
    assert box.get(0) == 4
    assert box.dropped == 4
    box.put(9)
    assert box.dropped == 4


def test_latest_poll_never_waits() -> None:
    box = Latest[int]()
    assert box.poll() is None
    box.put(3)
    assert box.poll() == 3
    assert box.poll() is None
    box.close()
    assert box.poll() is None


def test_latest_gives_a_slow_reader_fresh_items() -> None:
    """A producer at 1 kHz, a reader that takes 20 ms each: what it reads is the newest at that moment."""
    box, is_done, written = Latest[int](), threading.Event(), [0]

    def produce() -> None:
        while not is_done.is_set():
            written[0] += 1
            box.put(written[0])
            time.sleep(0.001)

    producer = threading.Thread(target=produce)
    producer.start()
    lags, read = [], []
    for _ in range(15):
        time.sleep(0.02)
        read.append(box.get(WAIT_S))
        lags.append(written[0] - read[-1])
    is_done.set()
    producer.join(WAIT_S)
    assert sorted(lags)[len(lags) // 2] <= 2  # items behind; a queue would fall back by some 20 at each read
    assert read == sorted(set(read))
    assert box.dropped + len(read) + (box.poll() is not None) == written[0]


@pytest.mark.parametrize("box", [Latest[int](), Bounded[int](2)], ids=["latest", "bounded"])
def test_producer_never_waits_without_a_reader(box: Mailbox[int]) -> None:
    call = Call(lambda: [box.put(item) for item in range(1000)])
    assert len(call.result()) == 1000


def test_in_order_loses_nothing_and_holds_the_producer() -> None:
    box = InOrder[int](capacity=3)
    call = Call(lambda: [box.put(item) for item in range(100)])
    assert call.is_waiting()
    assert len(box._items) == 3
    assert [box.get(WAIT_S) for _ in range(100)] == list(range(100))
    call.result()
    assert box.dropped == 0


@pytest.mark.parametrize("end", ["finish", "close"])
def test_in_order_end_frees_a_waiting_producer(end: str) -> None:
    box = InOrder[int](capacity=1)
    box.put(0)
    call = Call(lambda: box.put(1))
    assert call.is_waiting()
    getattr(box, end)()
    assert call.result() is Closed


def test_in_order_wakes_producer_and_reader_together() -> None:
    """Two producers and two readers over one place: every item is read once."""
    box, read = InOrder[int](capacity=1), list[int]()
    producers = [Call(lambda start=start: [box.put(start + k) for k in range(200)]) for start in (0, 1000)]  # type: ignore[misc]

    def consume() -> None:
        while True:
            read.append(box.get(WAIT_S))

    readers = [Call(consume) for _ in range(2)]
    for producer in producers:
        producer.result()
    assert wait_until(lambda: len(read) == 400)
    box.finish()
    assert [reader.result() for reader in readers] == [Closed, Closed]
    assert sorted(read) == [*range(200), *range(1000, 1200)]


def test_bounded_keeps_the_oldest_and_counts_the_rest() -> None:
    box = Bounded[int](capacity=3)
    assert [box.put(item) for item in range(5)] == [True, False, False, False, False]
    assert box.dropped == 2
    assert [box.get(0) for _ in range(3)] == [0, 1, 2]
    assert box.put(6)
    assert box.get(0) == 6
