"""Work behind the caller's back: in order, bounded, and never in the way of who interrupts."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from agavepy.files.behind import Behind

INTERRUPTED = """
import random, signal, time
from agavepy.files.behind import Behind
dice = random.Random(1)
signal.signal(signal.SIGALRM, signal.default_int_handler)
for _ in range(400):
    try:
        with Behind() as behind:
            signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.0005, 0.003))
            while True:
                behind.do(time.sleep, 0.0001)
    except KeyboardInterrupt:
        pass
"""


def test_work_is_done_in_order_before_the_end_of_the_block() -> None:
    done: list[int] = []
    with Behind() as behind:
        for number in range(100):
            behind.do(done.append, number)
    assert done == list(range(100))


def test_a_failure_is_raised_and_ends_the_work() -> None:
    done: list[str] = []

    def fail() -> None:
        with Behind() as behind:
            behind.do(divmod, 1, 0)
            behind.do(done.append, "after it")

    with pytest.raises(ZeroDivisionError):
        fail()
    assert done == []


def test_who_has_too_much_is_held_up() -> None:
    gate, begun = threading.Event(), 0

    def fill(behind: Behind) -> None:
        nonlocal begun
        for _ in range(100):
            begun += 1
            behind.do(gate.wait)

    with Behind() as behind:
        filling = threading.Thread(target=fill, args=(behind,))
        filling.start()
        filling.join(0.2)
        held_at = begun
        gate.set()
        filling.join()
    assert held_at < 20
    assert begun == 100


@pytest.mark.skipif(sys.platform == "win32", reason="has no timer that interrupts")
def test_an_interruption_never_leaves_it_hanging() -> None:
    subprocess.run([sys.executable, "-c", INTERRUPTED], check=True, timeout=60)
