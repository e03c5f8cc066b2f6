"""In the background: done again and again, whatever fails, until it is closed."""

import logging
import threading

import pytest

from budget.domain.errors import Unavailable
from budget.engine.background import Again


def test_what_fails_is_tried_again_and_what_is_under_way_is_finished(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []
    reached = threading.Event()

    def act(stopped: threading.Event) -> None:
        done.append(len(done))
        if len(done) == 1:
            raise Unavailable("not now")
        if len(done) == 2:
            raise RuntimeError("nobody foresaw this")
        if len(done) == 3:
            reached.set()
            stopped.wait()  # told to come to its end
            done.append(99)

    with caplog.at_level(logging.WARNING):
        again = Again("tester", 0.001, act)
        assert reached.wait(30)
        again.close()
    assert done == [0, 1, 2, 99]
    assert [record.message for record in caplog.records] == [
        "tester did nothing this time: not now", "tester failed",
    ]  # fmt: skip
