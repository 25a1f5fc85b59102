"""Memory that was freed is returned to the system: views allocate large arrays, each in a thread of its own."""

import asyncio
import ctypes
import sys
from collections.abc import Callable

TRIM_INTERVAL_S = 10.0
MMAP_THRESHOLD_BYTES = 1 << 20
MAX_ARENAS = 2
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h


def configure_allocator() -> None:
    """Arrays of MMAP_THRESHOLD_BYTES and more are returned as soon as they are freed, and threads share MAX_ARENAS heaps.

    By default glibc raises the threshold to the largest array that was freed, up to 32 MB, and has a heap for each of sixteen threads.
    Call it before threads are started; without glibc it does nothing.
    """
    if mallopt := _glibc("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(_M_ARENA_MAX, MAX_ARENAS)


async def return_freed_memory() -> None:
    """Every TRIM_INTERVAL_S, without end: glibc by itself keeps what a view has freed below the newest object, up to 80 MB in each of its arenas.

    It takes a few milliseconds, without the GIL. Returns at once where there is no glibc.
    """
    trim = _glibc("malloc_trim")
    while trim:
        await asyncio.sleep(TRIM_INTERVAL_S)
        await asyncio.to_thread(trim, 0)


def _glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
