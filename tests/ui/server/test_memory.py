"""Freed memory is returned to the system again and again, and nothing fails without glibc."""

import asyncio
import ctypes
from types import SimpleNamespace

import pytest

from ui.server import memory


def test_freed_memory_is_returned_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[int]()

    def trim(bytes_kept: int) -> int:
        kept.append(bytes_kept)
        if len(kept) == 3:
            raise InterruptedError
        return 1

    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(malloc_trim=trim))
    monkeypatch.setattr(memory, "TRIM_INTERVAL_S", 0.0)
    with pytest.raises(InterruptedError):
        asyncio.run(memory.return_freed_memory())
    assert kept == [0, 0, 0]


def test_large_arrays_are_mapped_and_threads_share_two_heaps(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dict[int, int]()
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(mallopt=settings.__setitem__))
    memory.configure_allocator()
    assert settings == {-3: 2**20, -8: 2}


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_without_glibc_there_is_nothing_to_do(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace())
    asyncio.run(memory.return_freed_memory())
    memory.configure_allocator()
