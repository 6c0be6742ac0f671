"""Work on a stream of items in threads beside the caller's, in order, and never far ahead of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


@contextmanager
def ahead(items: Iterable[Item], count: int) -> Iterator[Iterator[Item]]:
    """Iterate in a thread of its own, which begins at once and stays up to `count` items ahead of the caller.

    Args:
        items: What to iterate over; a generator is closed at the end of the block, whether it was used up or not.
        count: Most items that wait.

    Yields:
        An iterator of the items; an error of the iteration is raised where its item would be.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        waiting = deque(pool.submit(next, iterator, _END) for _ in range(count))
        try:
            yield _in_order(iterator, pool, waiting)
        finally:
            pool.shutdown(cancel_futures=True)
            if isinstance(iterator, Generator):
                iterator.close()


def _in_order(iterator: Iterator[Item], pool: ThreadPoolExecutor, waiting: deque[Future]) -> Iterator[Item]:
    while (item := waiting.popleft().result()) is not _END:
        waiting.append(pool.submit(next, iterator, _END))
        yield item


class Behind:
    """Calls a function for one item after the other in a thread of its own, as a context manager.

    At the end all items are done; the first error is raised, from `put` or from the end of the block. When the block
    itself fails, items that wait are dropped.

    Args:
        function: What to call.
        count: Most items that wait; `put` blocks while there are more, so memory is bounded.
    """

    def __init__(self, function: Callable[..., object], count: int):
        self._function, self._count = function, count
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._pool.submit(int).result()  # the thread starts here, wherever `put` is called from
        self._waiting: deque[Future] = deque()

    def __enter__(self) -> Behind:
        return self

    def put(self, *arguments: object) -> None:
        """Queue one call."""
        self._waiting.append(self._pool.submit(self._function, *arguments))
        while self._waiting and (len(self._waiting) > self._count or self._waiting[0].done()):
            self._waiting.popleft().result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for future in self._waiting:
                    future.result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
