"""LocalLogs: what lies in a folder beside the load balancer's own access logs."""

import errno
import os
import socket
from pathlib import Path

import pytest

from domain import Arn, Window
from messages.errors.sources import format_problem
from sources.access_logs.base import LocalLogs
from sources.access_logs.counter import CountError, FileStats, LogCounter
from sources.base import Problem
from tests.factories.access_log_lines import access_log_line

LOAD_BALANCER = Arn.parse(
    "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188"
)
ALL_TIME = Window(0, 2**33 // 60 * 60)
OWN = "123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_20260921T1405Z_10.0.1.10_3c8d6a1b.log.gz"


def test_files_of_other_load_balancers_are_skipped(tmp_path: Path) -> None:
    others = (
        OWN.replace("ap-northeast-1", "us-east-1"),
        OWN.replace("123456789012", "210987654321"),
        OWN.replace("app.photo.50dc6c495c0c9188", "app.photo.2222222222222222"),
        OWN.replace("app.photo.", "app.photo-2."),
    )
    for name in (OWN, "exported.log", *others):
        (tmp_path / name).write_text(access_log_line(), encoding="utf-8")
    listing = LocalLogs(tmp_path, LOAD_BALANCER).files(ALL_TIME)
    assert [Path(file.key).name for file in listing.files] == [OWN, "exported.log"]
    assert (listing.skipped, listing.problems) == (4, ())
    assert listing.load_balancer == "app/photo/50dc6c495c0c9188"
    assert LocalLogs(tmp_path).files(ALL_TIME).skipped == 0  # the load balancer is unknown


def test_lines_of_other_load_balancers_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    other = access_log_line(elb="500").replace("app/photo/50dc6c495c0c9188", "app/photo/2222222222222222")
    path.write_text((access_log_line() + other) * 3 + "broken\n", encoding="utf-8")
    with LogCounter(load_balancer="app/photo/50dc6c495c0c9188") as counter:
        counted = counter.count([path])
    assert counted.files == (FileStats("a.log", lines=7, parsed=3, skipped=3),)
    assert counted.counts["n"].to_pylist() == [3] and counted.counts["elb_status"].to_pylist() == [200]
    assert counted.examples.num_rows == 0


def test_what_is_no_regular_file_is_a_problem_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.log").write_text(access_log_line(), encoding="utf-8")
    (tmp_path / "link.log").symlink_to(tmp_path / "a.log")
    (tmp_path / "dead.log").symlink_to(tmp_path / "missing")
    (tmp_path / "loop.log").symlink_to(tmp_path / "loop.log")
    (tmp_path / "zero.log").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.log")
    monkeypatch.chdir(tmp_path)  # the path of a socket may have a hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.log")
        listing = LocalLogs(tmp_path).files(ALL_TIME)
    assert [Path(file.key).name for file in listing.files] == ["a.log", "link.log"]
    assert listing.skipped == 5
    problems = tuple(
        Problem("bad_reply", "access_logs", "read", str(tmp_path / f"{name}.log"))
        for name in ("dead", "loop", "pipe", "socket", "zero")
    )
    assert listing.problems == problems
    assert format_problem(problems[0]).text == (
        f"{tmp_path / 'dead.log'} is a pipe, a socket, a device or a broken link, and was excluded; the other files are processed."
    )
    pipe = LocalLogs(tmp_path / "pipe.log").files(ALL_TIME)
    assert (pipe.files, pipe.skipped, pipe.problems) == ((), 1, (problems[2],))


def test_folder_that_cannot_be_read_is_a_problem_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.log").write_text(access_log_line(), encoding="utf-8")
    scandir = os.scandir

    def refuse_b(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse_b)
    listing = LocalLogs(tmp_path).files(ALL_TIME)
    assert [Path(file.key).parent.name for file in listing.files] == ["a", "c"]
    assert listing.problems == (Problem("denied", "access_logs", "read", str(tmp_path / "b"), "Permission denied"),)


def test_folder_whose_parent_cannot_be_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_kwargs: object) -> object:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    problem = Problem("denied", "access_logs", "read", str(tmp_path), "Permission denied")
    assert LocalLogs(tmp_path).files(ALL_TIME).problems == (problem,)
    assert LocalLogs(tmp_path).check()[0].problem == problem


def test_file_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.log"
    with open(path, "w", encoding="utf-8") as file:
        file.write(access_log_line())
    logs = LocalLogs(tmp_path)
    (file,) = logs.files(ALL_TIME).files
    assert file.key.endswith("/caf\\xe9.log")
    downloaded = logs.download(file)
    assert isinstance(downloaded, Path)
    with LogCounter() as counter:
        assert counter.count([downloaded]).files == (FileStats("caf\\xe9.log", lines=1, parsed=1),)


def test_counter_that_runs_out_of_memory_can_be_used_again(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(access_log_line(), encoding="utf-8")
    with LogCounter(patterns=["\\"]) as counter, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sources.access_logs.counter._read_csv_sql", lambda _paths: "nowhere")
        with pytest.raises(CountError, match="nowhere"):
            counter.count([path])
        patch.undo()
        assert counter.count([path]).files == (FileStats("a.log", lines=1, parsed=1),)
