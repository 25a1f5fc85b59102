"""A cache whose entries are valid for one version of the data that they were made from."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

MAX_ENTRIES = 64

T = TypeVar("T")


class VersionedCache(Generic[T]):
    """The latest MAX_ENTRIES values by key, each valid for one version. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock, self._entries = Lock(), OrderedDict[Hashable, tuple[object, T]]()

    def get(self, key: Hashable, version: object) -> T | None:
        with self._lock:
            entry = self._entries.get(key)
            return entry[1] if entry and entry[0] == version else None

    def put(self, key: Hashable, version: object, value: T) -> None:
        with self._lock:
            self._entries[key] = (version, value)
            self._entries.move_to_end(key)
            while len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
