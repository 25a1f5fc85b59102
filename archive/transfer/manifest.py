"""The files of an export, its manifest, and which tables it contains."""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from archive.db import schema
from archive.db.migrations import standard_names
from domain.window import EARLIEST_S, LATEST_S

# 8: sign-offs and the history of margins; 7: sizes and traits of access logs; 6: observations; 5: deployments; 4: decisions; before 3:
# other names of tables, columns and JSON keys (db/migrations/standard_names.py)
FORMAT_VERSION = 8
MANIFEST_FILE = "manifest.json"
# Tables that are a file each, row by row.
COPIED_TABLES = (
    "event",
    "weight_change",
    "window_latency",
    "event_coverage",
    "trigger",
    "decision",
    "traffic_snapshot",
    "deployment_state",
    "deployment",
    "observation",
    "sign_off",
    "margin_history",
    "log_file",
)
# Tables whose files have another form, without ids, for other programs to read.
CONVERTED_TABLES = {
    "series": ("series.parquet",),
    "point": ("points.parquet",),
    "coverage": ("coverage.parquet",),
    "log_count": ("log_counts.parquet", "log_examples.parquet", "log_sizes.parquet", "log_traits.parquet"),
}
# Tables that are not exported, and why.
EXCLUDED_TABLES = {
    "meta": "the version of the tables is in the manifest",
    "migration": "its key is in the manifest",
    "rollup_10m": "computed from the points",
    "failed_fetch": "the importing archive may retry at once",
    "source_state": "states, leases and slots belong to one archive",
    "announced": "an importing archive would send what this one has announced",
    "notification": "an importing archive would send again what this one sends",
}
MAX_MANIFEST_BYTES = 1_000_000
MAX_KEY_CHARS = 1_000
_REQUIRED_FILES = ("points.parquet", "coverage.parquet")

ExportErrorKind = Literal[
    "not_an_export", "damaged", "invalid", "missing", "newer", "occupied", "not_written", "conflict"
]
ProgressCallback = Callable[[int, int], None]  # (series done, total)


class ExportError(Exception):
    """An export that cannot be written or read: `kind`, and the file or version that it is `about`."""

    def __init__(self, kind: ExportErrorKind, about: str) -> None:
        super().__init__(f"{kind}: {about}")
        self.kind, self.about = kind, about


@dataclass(frozen=True, slots=True)
class Manifest:
    """`migration` is its key; times are epoch seconds; `files`: by name, the number of rows and the SHA-256."""

    migration: str
    exported_at: int
    start: int | None
    end: int | None
    files: dict[str, tuple[int, str]]
    version: int = FORMAT_VERSION

    @property
    def points(self) -> int:
        return self.files["points.parquet"][0]


def read_manifest(folder: Path) -> Manifest:
    """The manifest, after every file was verified. Raises ExportError."""
    try:
        with (folder / MANIFEST_FILE).open("rb") as file:
            text = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ExportError("not_an_export", str(folder)) from error
    try:
        manifest = _parse_manifest(text)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ExportError("damaged", MANIFEST_FILE) from error
    known = {f"{old}.parquet" for old in standard_names.TABLES} if manifest.version < 3 else set()
    known |= {f"{name}.parquet" for name in COPIED_TABLES} | {
        name for names in CONVERTED_TABLES.values() for name in names
    }
    for name in dict.fromkeys((*_REQUIRED_FILES, *manifest.files)):
        if name not in known:
            raise ExportError("invalid", f"{MANIFEST_FILE}: {name[:80]}")
        if name not in manifest.files or not (folder / name).is_file():
            raise ExportError("missing", name)
        if (folder / name).is_symlink():
            raise ExportError("invalid", name)
        if sha256_of(folder / name) != manifest.files[name][1]:
            raise ExportError("damaged", name)
    return manifest


def _parse_manifest(text: bytes) -> Manifest:
    """Raises ExportError ("newer"), and ValueError, KeyError, TypeError, OverflowError or RecursionError for anything but a manifest."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise ValueError("too long")
    content = json.loads(text)
    version = int(content["version"])
    if version > FORMAT_VERSION:
        raise ExportError("newer", f"{version} > {FORMAT_VERSION}")
    times = (content["exported_at"], content["start"], content["end"])
    if version < 1 or any(type(at) is not int for at in times if at is not None):
        raise ValueError("version or time")
    exported_at, start, end = times
    if exported_at is None or any(not EARLIEST_S <= at <= LATEST_S for at in times if at is not None):
        raise ValueError("time")
    files = {str(file["name"]): (int(file["rows"]), str(file["sha256"])) for file in content["files"]}
    if len(files) != len(content["files"]):
        raise ValueError("a file is listed twice")
    key = content["migration"]
    if (
        not isinstance(key, str)
        or not 0 < len(key) <= MAX_KEY_CHARS
        or any(unicodedata.category(c) in ("Cc", "Cs") for c in key)
    ):
        raise ValueError("migration")
    return Manifest(key, exported_at, start, end, files, version)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    content = {
        "version": manifest.version,
        "archive_version": schema.SCHEMA_VERSION,
        "migration": manifest.migration,
        "exported_at": manifest.exported_at,
        "start": manifest.start,
        "end": manifest.end,
        "files": [{"name": name, "rows": rows, "sha256": digest} for name, (rows, digest) in manifest.files.items()],
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
