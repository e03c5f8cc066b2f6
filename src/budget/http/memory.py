"""Memory: what the C library keeps of it beside what is in use, kept small.

Without this a service of some load keeps about a tenth more: each thread has a heap of its own, and
what a burst needed, or the loading of an encoding, is never given back. Not here: what is in use.
"""

import contextlib
import ctypes
import platform
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from budget.engine.background import Again

EVERY_SECONDS: Final = 10.0
_ARENA_MAX: Final = -8
"""M_ARENA_MAX of <malloc.h>."""


@contextlib.contextmanager
def kept_small(every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """While open, what is free goes back to the system every ten seconds, in about a millisecond.

    Threads that begin from now on share one heap: most of the time one of them runs, as only one
    has the interpreter's lock. Elsewhere than with glibc nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_ARENA_MAX, 1)
    with closing(Again("memory", every_seconds, lambda _: libc.malloc_trim(0))):
        yield
