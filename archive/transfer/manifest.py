"""The files of an export, its manifest, and which tables it contains."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from archive.db import schema

FORMAT_VERSION = 3  # before 3: other names of tables, columns and JSON keys (db/migrations/standard_names.py)
MANIFEST_FILE = "manifest.json"
# Tables that are a file each, row by row.
COPIED_TABLES = (
    "event",
    "weight_change",
    "window_latency",
    "event_coverage",
    "trigger",
    "traffic_snapshot",
    "deployment_state",
    "log_file",
)
# Tables whose files have another form, without ids, for other programs to read.
CONVERTED_TABLES = {
    "series": ("series.parquet",),
    "point": ("points.parquet",),
    "coverage": ("coverage.parquet",),
    "log_count": ("log_counts.parquet", "log_examples.parquet"),
}
# Tables that are not exported, and why.
EXCLUDED_TABLES = {
    "meta": "the version of the tables is in the manifest",
    "migration": "its key is in the manifest",
    "rollup_10m": "computed from the points",
    "failed_fetch": "the importing archive may retry at once",
    "source_state": "states, leases and slots belong to one archive",
}
_REQUIRED_FILES = ("points.parquet", "coverage.parquet")

ExportErrorKind = Literal["not_an_export", "damaged", "missing", "newer", "occupied", "not_written"]
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
        content = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        version = int(content["version"])
        if version > FORMAT_VERSION:
            raise ExportError("newer", f"{version} > {FORMAT_VERSION}")
        files = {str(file["name"]): (int(file["rows"]), str(file["sha256"])) for file in content["files"]}
        manifest = Manifest(
            str(content["migration"]), int(content["exported_at"]), content["start"], content["end"], files, version
        )
    except OSError as error:
        raise ExportError("not_an_export", str(folder)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError("damaged", MANIFEST_FILE) from error
    for name in dict.fromkeys((*_REQUIRED_FILES, *files)):
        if name not in files or not (folder / name).is_file():
            raise ExportError("missing", name)
        if sha256_of(folder / name) != files[name][1]:
            raise ExportError("damaged", name)
    return manifest


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
