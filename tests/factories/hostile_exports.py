"""Exports whose checksums and row counts are consistent with their manifest, but whose content is not."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from archive.transfer import validation
from archive.transfer.manifest import FORMAT_VERSION, sha256_of
from tests.fakes.metric_source import NOON

Spoil = Callable[[Path], None]
NAN, FAR = float("nan"), 253_402_300_800  # the year 10000


def sign(folder: Path, **changes: Any) -> None:
    """Rewrites the manifest so that it agrees with the files."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for file in manifest["files"]:
        file["sha256"] = sha256_of(folder / file["name"])
        with suppress(pa.ArrowException, OSError):
            file["rows"] = pq.ParquetFile(folder / file["name"]).metadata.num_rows
    path.write_text(json.dumps(manifest | changes))


def rewrite(name: str, change: Callable[[pa.Table], pa.Table]) -> Spoil:
    """Changes every row group of a file, then signs it."""

    def spoil(folder: Path) -> None:
        file = pq.ParquetFile(folder / f"{name}.parquet")
        groups = [change(file.read_row_group(group)) for group in range(file.num_row_groups)]
        with pq.ParquetWriter(folder / f"{name}.parquet", groups[0].schema) as writer:
            for group in groups:
                writer.write_table(group)
        sign(folder)

    return spoil


def set_value(name: str, column: str, value: Any) -> Spoil:
    """Sets one column in every row."""

    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field(column)
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        values = pa.array([value] * table.num_rows, kind)
        return table.set_column(table.schema.get_field_index(column), field, values.cast(field.type))

    return rewrite(name, change)


def set_type(name: str, column: str, values: Callable[[int], pa.Array]) -> Spoil:
    return rewrite(
        name,
        lambda table: table.set_column(table.schema.get_field_index(column), column, values(table.num_rows)),
    )


def set_body(name: str, change: Callable[[dict[str, Any]], Any], column: str = "body") -> Spoil:
    """Changes the JSON of every row."""

    def changed(table: pa.Table) -> pa.Table:
        texts = [json.dumps(change(json.loads(text))) for text in table[column].to_pylist()]
        return table.set_column(table.schema.get_field_index(column), column, pa.array(texts))

    return rewrite(name, changed)


def first_rule(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda body: body | {"rules": [body["rules"][0] | values, *body["rules"][1:]]}


def first_share(weight: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(body: dict[str, Any]) -> dict[str, Any]:
        first, *others = body["rules"][0]["shares"]
        return first_rule(shares=[first | {"weight": weight}, *others])(body)

    return change


def first_deployment(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    deployment = {"system": "codedeploy", "id": "d-1", "fleet": "canary", "status": "Succeeded", "created": NOON}
    return lambda body: body | {"deployments": [deployment | values]}


def repeat_rows(name: str) -> Spoil:
    return rewrite(name, lambda table: pa.concat_tables([table, table]).combine_chunks())


def drop_column(name: str, column: str) -> Spoil:
    return rewrite(name, lambda table: table.drop_columns([column]))


def add_column(name: str) -> Spoil:
    return rewrite(name, lambda table: table.append_column("extra", pa.array([1] * table.num_rows)))


def in_manifest(**changes: Any) -> Spoil:
    return lambda folder: sign(folder, **changes)


def write_manifest_text(text: str) -> Spoil:
    return lambda folder: void((folder / "manifest.json").write_text(text))


def void(_value: object) -> None:
    """A statement of a lambda."""


def list_file(name: str) -> Spoil:
    """A file that no export has, with its right checksum."""

    def spoil(folder: Path) -> None:
        shutil.copy(folder / "event.parquet", folder / name)
        files = json.loads((folder / "manifest.json").read_text())["files"]
        sign(folder, files=[*files, {"name": name, "rows": 2, "sha256": sha256_of(folder / name)}])

    return spoil


def twice_in_manifest(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    sign(folder, files=[*files, files[0]])


def wrong_row_count(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    sign(folder, files=[file | {"rows": file["rows"] + 1} for file in files])  # the checksums stay right


def write_bytes(name: str, content: bytes) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / f"{name}.parquet").write_bytes(content)
        sign(folder)

    return spoil


def link_to(target: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / "event.parquet").rename(folder / "other")
        (folder / "event.parquet").symlink_to(target)

    return spoil


def unlist(*names: str) -> Spoil:
    def spoil(folder: Path) -> None:
        files = json.loads((folder / "manifest.json").read_text())["files"]
        sign(folder, files=[file for file in files if file["name"] not in names])

    return spoil


def one_row_group(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        table = pq.read_table(folder / f"{name}.parquet")
        pq.write_table(table, folder / f"{name}.parquet")
        sign(folder)

    return spoil


def many_rows(folder: Path) -> None:
    """A small file with more rows than memory holds."""
    kinds = pq.read_schema(folder / "coverage.parquet")
    n = validation.MAX_TABLE_ROWS + 1
    table = pa.table([pa.nulls(n, kind) for kind in kinds.types], names=kinds.names)
    pq.write_table(table, folder / "coverage.parquet")
    sign(folder)


def long_texts(folder: Path) -> None:
    """A file of a few kilobytes with gigabytes of text: one long value, repeated."""
    event = pq.read_table(folder / "event.parquet").slice(0, 1).to_pylist()[0]
    event["detail"] = "x" * 1_000_000
    rows = [event | {"key": str(number)} for number in range(600)]
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(folder / "event.parquet")), folder / "event.parquet")
    sign(folder)


def not_utf8(folder: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        size = table.num_rows
        offsets = pa.array([2 * at for at in range(size + 1)], pa.int32()).buffers()[1]
        broken = pa.StringArray.from_buffers(size, offsets, pa.py_buffer(b"\xff\xfe" * size))
        return table.set_column(table.schema.get_field_index("title"), "title", broken)

    rewrite("event", change)(folder)


DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE: dict[str, Spoil] = {
    # Schema
    "no column": drop_column("event", "title"),
    "no label": drop_column("points", "fleet"),
    "an extra column": add_column("event"),
    "text for a time": set_type("event", "ts", lambda n: pa.array(["x"] * n)),
    "float for a time": set_type("coverage", "start_s", lambda n: pa.array([1.5] * n)),
    "a list for a text": set_type("event", "title", lambda n: pa.array([["x"]] * n)),
    "a number for JSON": set_type("traffic_snapshot", "body", lambda n: pa.array([1] * n)),
    "text for a value": set_type("points", "value", lambda n: pa.array(["1"] * n)),
    "text for a flag": set_type("event", "open", lambda n: pa.array(["false"] * n)),
    "not Parquet": write_bytes("event", b"PAR1" + b"\0" * 100 + b"PAR1"),
    "empty file": write_bytes("points", b""),
    "not UTF-8": not_utf8,
    # Null, NaN, infinity
    "null time": set_value("event", "ts", None),
    "null title": set_value("event", "title", None),
    "null value": set_value("points", "value", None),
    "null label": set_value("series", "metric", None),
    "null count": set_value("log_counts", "n", None),
    "NaN": set_value("points", "value", NAN),
    "infinity": set_value("points", "value", float("inf")),
    "a value of 1e300": set_value("points", "value", 1e300),
    "NaN for a time": set_value("log_examples", "ts", NAN),
    # Ranges
    "an event in the year 10000": set_value("event", "ts", FAR),
    "an event before 1970": set_value("event", "ts", -1),
    "an event that ends before its start": set_value("event", "until", 1_300_000_000),
    "an event that ends in the year 10000": set_value("event", "until", FAR),
    "a point in the year 10000": set_value("points", "ts", FAR),
    "a point tomorrow": set_value("points", "ts", NOON + 2 * 86_400),
    "a point between minutes": rewrite(
        "points", lambda t: t.set_column(0, t.schema.field(0), pa.array([ts + 1 for ts in t["ts"].to_pylist()]))
    ),
    "a period of 0": set_value("points", "period_s", 0),
    "a negative period": set_value("coverage", "period_s", -60),
    "covered for ever": set_value("coverage", "end_s", 4_000_000_020),
    "covered backwards": set_value("coverage", "end_s", 1_300_000_020),
    "covered between minutes": set_value("event_coverage", "start_s", 1_700_000_001),
    "events covered for ever": set_value("event_coverage", "end_s", 4_000_000_020),
    "asked in the future": set_value("series", "asked_at", FAR),
    "seen in the future": set_value("traffic_snapshot", "last_seen", 4_000_000_000),
    "seen before it began": set_value("deployment_state", "last_seen", 0),
    "a trigger of the future": set_value("trigger", "asked_at", 4_000_000_000),
    "a step of another time": set_value("observation", "ts", NOON - 1),
    "an observation of an unknown source": set_value("observation", "source", "magic"),
    "a step with a long statement": set_body("observation", lambda body: body | {"sql": "x" * 2001}),
    "a decision of the future": set_value("decision", "recorded_at", 4_000_000_000),
    "a decision before its phase": set_value("decision", "start_s", 4_000_000_000),
    "a decision of phase 0": set_value("decision", "phase", 0),
    "a decision that is a list": set_value("decision", "body", "[]"),
    "a decision that is no JSON": set_value("decision", "body", "continue"),
    "a sign-off number 0": set_value("sign_off", "sequence", 0),
    "a sign-off number of 2^40": set_value("sign_off", "sequence", 2**40),
    "a sign-off twice": repeat_rows("sign_off"),
    "a sign-off with another hash": set_value("sign_off", "hash", "<script>"),
    "a sign-off without end": set_value("sign_off", "body", "x" * 1_000_001),
    "margins of the future": set_value("margin_history", "last_seen", 4_000_000_000),
    "margins that are no list": set_value("margin_history", "body", "{}"),
    "fewer lines than parsed": set_value("log_file", "lines", 1),
    "a negative size": set_value("log_file", "size", -1),
    "a negative count": set_value("log_counts", "n", -5),
    "a count of 2^62": set_value("log_counts", "n", 2**62),
    "a status of 30000": set_value("log_counts", "elb_status", 30_000),
    "a minute of another hour": set_value("log_counts", "minute", 1_700_000_040),
    "not an hour": set_value("log_examples", "hour_s", 1_700_000_040),
    # Labels and vocabularies
    "an unknown kind of event": set_value("event", "kind", "attack"),
    "an unknown fleet": set_value("series", "fleet", "third"),
    "an event of an unknown fleet": set_value("event", "fleet", "<b>"),
    "HTML for a metric": set_value("points", "metric", "<img src=x onerror=alert(1)>"),
    "a terminal sequence for a target group": set_value("points", "target_group", "\x1b]0;owned\x07"),
    "a threshold that is no number": set_value("series", "stat", "within_abcs"),
    "a link that runs": set_value("event", "link", "javascript:alert(1)"),
    "NUL in a title": set_value("event", "title", "a\x00b"),
    "a source of 100,000 characters": set_value("event", "source", "s" * 100_000),
    # Uniqueness and row groups
    "an event twice": repeat_rows("event"),
    "a series twice": repeat_rows("series"),
    "points twice": repeat_rows("points"),
    "points backwards": rewrite("points", lambda t: t.take(list(range(t.num_rows))[::-1])),
    "coverage twice": repeat_rows("coverage"),
    "a log file twice": repeat_rows("log_file"),
    "all series in one row group": one_row_group("points"),
    "all hours in one row group": one_row_group("log_counts"),
    "counts of no file": set_value("log_counts", "batch", "z"),
    "too many rows": many_rows,
    "gigabytes of text": long_texts,
    # JSON
    "not JSON": set_value("traffic_snapshot", "body", "{"),
    "JSON of another shape": set_value("traffic_snapshot", "body", "[]"),
    "JSON 100,000 deep": set_value("trigger", "body", DEEP),
    "JSON null": set_value("weight_change", "body", "null"),
    "a key twice": set_value("trigger", "body", '{"asked_at":0,"asked_at":1,"triggers":[]}'),
    "a huge integer": set_value("trigger", "body", '{"asked_at":' + "9" * 5_000 + ',"triggers":[]}'),
    "an infinite number": set_body("weight_change", lambda body: body | {"after": float("inf")}),
    "a share of 5": set_body("weight_change", lambda body: body | {"after": 5}),
    "a change of another time": set_body("weight_change", lambda body: body | {"ts": FAR}),
    "a change of another key": set_body("weight_change", lambda body: body | {"key": "another"}),
    "an unknown tool": set_body("weight_change", lambda body: body | {"tool": "magic"}),
    "a negative weight": set_body("traffic_snapshot", first_share(-10)),
    "a weight of 10^30": set_body("traffic_snapshot", first_share(10**30)),
    "a weight that is text": set_body("traffic_snapshot", first_share("many")),
    "a priority of 5,000 digits": set_body("traffic_snapshot", first_rule(priority="9" * 5_000)),
    "rules that are no list": set_body("traffic_snapshot", lambda body: body | {"rules": 1}),
    "a deployment in the year 10000": set_body("deployment_state", first_deployment(created=FAR)),
    "a deployment that waits until the year 10000": set_body(
        "deployment_state", first_deployment(waits=[{"id": "READY_WAIT", "expires_at": FAR}])
    ),
    "a deployment with a link that runs": set_body("deployment_state", first_deployment(link="javascript:alert(1)")),
    "a deployment with another id": set_body("deployment", lambda body: body | {"id": "d-2"}),
    "a deployment of another time": set_value("deployment", "created", NOON - 1),
    "a kept deployment with a link that runs": set_body(
        "deployment", lambda body: body | {"link": "javascript:alert(1)"}
    ),
    "a deployment that was read in the future": set_value("deployment", "read_at", FAR),
    "an unknown deployment system": set_body("deployment_state", first_deployment(system="magic")),
    "percentiles that are a list": set_body("window_latency", lambda body: body | {"groups": [{"percentiles": []}]}),
    "latency covered elsewhere": set_body("window_latency", lambda body: body | {"covered": [0, FAR]}),
    "problems that are no list": set_value("window_latency", "problems", "1"),
    "problems with another field": set_value("window_latency", "problems", '[{"kind":"denied","evil":1}]'),
    # Manifest and files
    "another number of rows": wrong_row_count,
    "a file twice": twice_in_manifest,
    "an unknown file": list_file("other.parquet"),
    "a path out of the folder": list_file("../outside.parquet"),
    "a file that is a device": link_to("/dev/zero"),
    "a file that is a link": link_to("other"),
    "no counts of the log files": unlist("log_counts.parquet"),
    "no points": unlist("points.parquet"),
    "a later format": in_manifest(version=FORMAT_VERSION + 1),
    "a format of 0": in_manifest(version=0),
    "an infinite format": write_manifest_text('{"version": 1e999}'),
    "a migration that is a list": in_manifest(migration=["x"]),
    "a migration with control characters": in_manifest(migration="a\x1b[2Jb"),
    "a migration of a megabyte": in_manifest(migration="x" * 1_000_000),
    "exported in the year 10000": in_manifest(exported_at=FAR),
    "exported next year": in_manifest(exported_at=NOON + 365 * 86_400),
    "a start that is text": in_manifest(start="x"),
    "files that are a number": in_manifest(files=1),
    "a manifest 100,000 deep": write_manifest_text(DEEP),
    "a manifest that is a list": write_manifest_text("[]"),
}
