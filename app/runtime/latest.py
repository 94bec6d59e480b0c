# SPDX-License-Identifier: Apache-2.0
"""The hand-over between two threads: `Latest` keeps the newest item, `InOrder` keeps every item."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """Raised by `get` and `put` once the mailbox is closed, or finished and empty."""


class Mailbox(Protocol[T]):
    """What a producer and a consumer share; every method may be called from any thread."""

    dropped: int
    """Items that nobody will ever read."""

    def put(self, item: T) -> bool:
        """Store `item`; return True if the mailbox was empty (the reader needs waking). Raises Closed."""

    def get(self, timeout_s: float | None = None) -> T:
        """Wait for an item and take it. Raises Closed at the end, TimeoutError after `timeout_s`."""

    def finish(self) -> None:
        """No more items will come; what is stored can still be read."""

    def close(self) -> None:
        """Stop now: wake every waiting thread with Closed; stored items are never read."""


class Latest(Generic[T]):
    """One place; a newer item replaces an unread older one, so the producer never waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._ended = False
        self.dropped = 0

    def put(self, item: T) -> bool:
        with self._changed:
            if self._ended:
                raise Closed
            was_empty = self._item is None
            self.dropped += not was_empty
            self._item = item
            self._changed.notify()
            return was_empty

    def get(self, timeout_s: float | None = None) -> T:
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or self._item is not None, timeout_s):
                raise TimeoutError
            return self._take()

    def poll(self) -> T | None:
        """Take the item if there is one; never wait (for the UI thread)."""
        with self._changed:
            return None if self._item is None else self._take()

    def finish(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._item = None
            self._changed.notify_all()

    def _take(self) -> T:
        if self._item is None:
            raise Closed
        item, self._item = self._item, None
        return item


class InOrder(Generic[T]):
    """A bounded queue that loses nothing: the producer waits while `capacity` items are unread."""

    def __init__(self, capacity: int = 4) -> None:
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._ended = False
        self.dropped = 0

    def put(self, item: T) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._items) < self._capacity)
            if self._ended:
                raise Closed
            self._items.append(item)
            self._changed.notify_all()
            return len(self._items) == 1

    def get(self, timeout_s: float | None = None) -> T:
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or len(self._items) > 0, timeout_s):
                raise TimeoutError
            if not self._items:
                raise Closed
            self._changed.notify_all()
            return self._items.popleft()

    def finish(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._items.clear()
            self._changed.notify_all()


class Bounded(InOrder[T]):
    """A bounded queue whose producer never waits: an item that finds no place is dropped and counted."""

    def put(self, item: T) -> bool:
        with self._changed:
            if self._ended:
                raise Closed
            if len(self._items) >= self._capacity:
                self.dropped += 1
                return False
            self._items.append(item)
            self._changed.notify_all()
            return len(self._items) == 1
