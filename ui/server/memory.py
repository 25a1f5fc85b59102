"""Memory that was freed is returned to the system."""

import asyncio
import ctypes
import sys
from collections.abc import Callable

TRIM_INTERVAL_S = 10.0


async def return_freed_memory() -> None:
    """Every TRIM_INTERVAL_S, without end: glibc by itself keeps what a view has freed below the newest object, up to 80 MB in each of its arenas.

    It takes a few milliseconds, without the GIL. Returns at once where there is no glibc.
    """
    trim: Callable[[int], int] | None = (
        getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    )
    while trim:
        await asyncio.sleep(TRIM_INTERVAL_S)
        await asyncio.to_thread(trim, 0)
