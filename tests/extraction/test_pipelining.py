"""Threads before and behind a loop: order, bounds, errors."""

import threading
import time

import pytest

from hf_slt.extraction.pipelining import Behind, ahead


def test_ahead_keeps_the_order_and_works_in_another_thread():
    threads = set()

    def numbers():
        for number in range(20):
            threads.add(threading.current_thread())
            yield number

    with ahead(numbers(), 3) as items:
        assert list(items) == list(range(20))
    assert threading.current_thread() not in threads


def test_ahead_is_bounded_and_closes_what_it_read():
    taken, closed = [], []

    def numbers():
        try:
            for number in range(1000):
                taken.append(number)
                yield number
        finally:
            closed.append(True)

    with ahead(numbers(), 3) as items:
        assert next(items) == 0
        time.sleep(0.05)
    assert len(taken) <= 4
    assert closed == [True]


def test_ahead_raises_where_the_item_would_be():
    def numbers():
        yield 1
        raise ValueError("damaged")

    with ahead(numbers(), 5) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="damaged"):
            next(items)


def test_behind_does_everything_in_order():
    done = []
    with Behind(lambda *arguments: done.append(arguments), 2) as behind:
        for number in range(50):
            behind.put(number, -number)
    assert done == [(number, -number) for number in range(50)]


def test_behind_waits_when_it_is_full():
    gate, done = threading.Event(), []

    def slow(number):
        gate.wait(5)
        done.append(number)

    with Behind(slow, 2) as behind:
        behind.put(0)
        behind.put(1)
        threading.Timer(0.05, gate.set).start()
        behind.put(2)  # one more than may wait: returns when the first is done
        assert done[0] == 0


@pytest.mark.parametrize("failing", [0, 29])
def test_behind_raises_the_error_of_its_function(failing):
    def work(number):
        if number == failing:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), Behind(work, 2) as behind:
        for number in range(30):
            behind.put(number)


def test_behind_drops_what_waits_when_the_block_fails():
    done = []

    def work(number):
        time.sleep(0.02)
        done.append(number)

    with pytest.raises(KeyError, match="stop"), Behind(work, 10) as behind:
        for number in range(8):
            behind.put(number)
        raise KeyError("stop")
    assert len(done) <= 3
