"""The workers of a run, and the thread that watches over them."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from labfactory.factory.sinks import Work
    from labfactory.factory.summary import Tally


class Watch:
    """A worker's line to the thread that waits for it."""

    def __init__(self, events: SimpleQueue[tuple[str, Any]], stop: threading.Event) -> None:
        self._events = events
        self._stop = stop

    def __call__(self, rows: int, size_bytes: int) -> None:
        """Tell that a batch is done.

        Raises:
            StoppedError: When the run is to stop.
        """
        if self._stop.is_set():
            raise StoppedError
        self._events.put(("batch", (rows, size_bytes)))


class StoppedError(Exception):
    """A worker was told to stop between two batches; never leaves this module."""


def work_through(
    works: Sequence[Work],
    make: Callable[[Work, Watch], tuple[Mapping[str, Any], Mapping[str, float]]],
    *,
    threads: int,
    tally: Tally,
    check: Callable[[Tally], None],
    tell: Callable[[int, int], None],
) -> None:
    """Make shards on several threads; a failure or an interrupt stops the others between two batches.

    Args:
        works: What to make, taken up in order.
        make: Makes and commits one shard and returns its counts and its times.
        threads: Number of workers.
        tally: Takes the counts and times of every shard.
        check: Called with the tally after every shard; raises to stop.
        tell: Called with the rows and bytes of every batch. It and `check` run in the calling thread.
    """
    events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    stop, taking, waiting = threading.Event(), threading.Lock(), iter(works)

    def worker() -> None:
        try:
            while (work := _taken(waiting, taking, stop)) is not None:
                events.put(("shard", make(work, Watch(events, stop))))
        except StoppedError:
            pass
        except BaseException as error:
            events.put(("failed", error))
        finally:
            events.put(("left", None))

    crew = [threading.Thread(target=worker, name=f"labfactory-{i}") for i in range(min(threads, len(works)))]
    for thread in crew:
        thread.start()
    busy = len(crew)
    try:
        while busy:
            kind, value = events.get()
            if kind == "batch":
                tell(*value)
            elif kind == "shard":
                tally.add(value[0])
                tally.add_seconds(value[1])
                check(tally)
            elif kind == "failed":
                raise value
            else:
                busy -= 1
    finally:
        stop.set()
        for thread in crew:
            thread.join()


def _taken(waiting: Iterator[Work], taking: threading.Lock, stop: threading.Event) -> Work | None:
    with taking:
        return None if stop.is_set() else next(waiting, None)
