"""What finalizers leave is booked by another thread, whatever locks their own thread holds."""

import threading

from budget.sdk import booking


def test_what_is_left_while_the_pool_is_locked_is_booked_once_the_lock_is_free() -> None:
    booked = threading.Event()
    booking.attend()

    def finalize() -> None:
        # A collector may run a finalizer within `submit`, which holds this lock.
        with booking._desk.pool._shutdown_lock:
            booking.leave(booking.Act(booked.set, "a settlement"))

    thread = threading.Thread(target=finalize, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert booked.wait(10)
