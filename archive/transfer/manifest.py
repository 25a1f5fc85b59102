"""What an export is made of: its files, the manifest that tells of them, and which tables are in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from archive.db import schema

FORMAT_VERSION = 2
MANIFEST_FILE = "manifest.json"
# Tables that are a file each, row by row.
COPIED_TABLES = ("event", "split_change", "whole", "heard", "starter", "snapshot", "standing", "log_file")
# Tables that are told in files of another form, which any program can read without knowing their numbers.
CONVERTED_TABLES = {
    "series": ("series.parquet",),
    "point": ("points.parquet",),
    "coverage": ("coverage.parquet",),
    "log_count": ("log_counts.parquet", "log_examples.parquet"),
}
# Tables that stay, and why.
EXCLUDED_TABLES = {
    "meta": "the version of the tables is in the manifest",
    "migration": "its key is in the manifest",
    "cell": "made anew of the points",
    "refusal": "what was refused here may be asked elsewhere at once",
    "source": "how a source is and whose turn it is to ask are true of one place only",
}
_REQUIRED_FILES = ("points.parquet", "coverage.parquet")

ExportErrorKind = Literal["not_an_export", "damaged", "missing", "newer", "occupied", "not_written"]
ProgressCallback = Callable[[int, int], None]  # (series done, of how many)


class ExportError(Exception):
    """An export that cannot be written or read: `kind`, and `about` which file or version."""

    def __init__(self, kind: ExportErrorKind, about: str) -> None:
        super().__init__(f"{kind}: {about}")
        self.kind, self.about = kind, about


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export holds. `files`: by name, how many rows, and their SHA-256. Times are epoch seconds."""

    migration: str
    exported_at: int
    start: int | None
    end: int | None
    files: dict[str, tuple[int, str]]

    @property
    def points(self) -> int:
        return self.files["points.parquet"][0]


def read_manifest(folder: Path) -> Manifest:
    """The manifest, once every file was found to be what it says. Raises ExportError."""
    try:
        told = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        version = int(told["version"])
        if version > FORMAT_VERSION:
            raise ExportError("newer", f"{version} > {FORMAT_VERSION}")
        files = {str(one["name"]): (int(one["rows"]), str(one["sha256"])) for one in told["files"]}
        found = Manifest(str(told["migration"]), int(told["exported_at"]), told["start"], told["end"], files)
    except OSError as error:
        raise ExportError("not_an_export", str(folder)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError("damaged", MANIFEST_FILE) from error
    for name in dict.fromkeys((*_REQUIRED_FILES, *files)):
        if name not in files or not (folder / name).is_file():
            raise ExportError("missing", name)
        if sha256_of(folder / name) != files[name][1]:
            raise ExportError("damaged", name)
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    told = {
        "version": FORMAT_VERSION,
        "archive_version": schema.SCHEMA_VERSION,
        "migration": manifest.migration,
        "exported_at": manifest.exported_at,
        "start": manifest.start,
        "end": manifest.end,
        "files": [{"name": name, "rows": count, "sha256": sum_} for name, (count, sum_) in manifest.files.items()],
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    made = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            made.update(piece)
    return made.hexdigest()
