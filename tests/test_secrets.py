"""No secret comes out of the program: terminal, JSON, pages, archive, log and tracebacks, whatever the systems outside answer."""

import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.factories.loopback_config import config_toml
from tests.fakes.elbv2 import REGION
from tests.fakes.quoting_server import QuotingServer
from tests.fakes.services import MACKEREL_TABLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # a dozen processes

ROOT = Path(__file__).parent.parent
ACCOUNT = f"arn:aws:elasticloadbalancing:{REGION}:123456789012"
GROUPS = {name: f"{ACCOUNT}:targetgroup/{name}/73e2d6bc24d8a067" for name in ("photo-ec2", "photo-ecs")}

ENVIRONMENT_SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/ENVIRONMENT/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": f"FwoGZXIvYXdzENVIRONMENT+{'0123456789abcdef/' * 20}=",
    "MACKEREL_APIKEY": "MackerelKeyAbCdEfGhIjKlMnOpQrStUvWxYz",
    "PGPASSWORD": "of-postgres?&=/x",
}
# These stand only in ~/.aws/credentials.
FILE_SECRETS = ("je7MtGbClwBF/SHAREDFILE/K7MDENGAnotherOne", f"IQoJb3JpZ2luSHAREDFILE+{'fedcba9876543210/' * 20}=")
URL_PASSWORD = "s3cr/t:of-the@proxy"
TEMPORARY_TOKEN = "IQoJOfSomebodyElse/+abcdefghij"
SIGNATURE, BEARER = "5f0e8a21c97d4b36aa10", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
# The program knows none of these: it finds them by their shape.
SHAPED = (
    f"https://logs.s3.amazonaws.com/a.gz?X-Amz-Security-Token={quote(TEMPORARY_TOKEN, safe='')}&X-Amz-Signature={SIGNATURE}&X-Amz-Expires=900",
    f"Authorization: Bearer {BEARER}",
    "postgresql://me:only-in-a-reply@db.internal/archive",
)
SECRETS = (
    *ENVIRONMENT_SECRETS.values(),
    *FILE_SECRETS,
    URL_PASSWORD,
    TEMPORARY_TOKEN,
    SIGNATURE,
    BEARER,
    "only-in-a-reply",
)
N_LEAKED_CHARS = 14  # so many characters of a secret in a row, anywhere


def leaked(output: bytes | str) -> list[str]:
    """The secrets of which any part is in `output`, as it is, encoded for a URL, or as the password of basic authentication."""
    text = output.decode("utf-8", "replace") if isinstance(output, bytes) else output
    forms = (
        (secret, form) for secret in SECRETS for form in (secret, quote(secret), quote(secret, safe=""), _basic(secret))
    )
    return sorted({secret for secret, form in forms if any(part in text for part in _parts(form))})


def _basic(password: str) -> str:
    return b64encode(f"me:{password}".encode()).decode()


def _parts(secret: str) -> list[str]:
    return [secret[at : at + N_LEAKED_CHARS] for at in range(max(1, len(secret) - N_LEAKED_CHARS + 1))]


@dataclass
class Program:
    """The program in a folder of its own, with credentials in its environment (`profile` "") or in ~/.aws."""

    folder: Path
    server: QuotingServer
    profile: str
    outputs: dict[str, bytes] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        def endpoint(kind: str) -> str:
            return self.server.url.replace("://", f"://me:{quote(URL_PASSWORD, safe='')}@") + f"/{kind}"

        credentials = dict(ENVIRONMENT_SECRETS)
        # A line break, as a careless `export` leaves it; in the file none is possible.
        credentials["AWS_SESSION_TOKEN"] += "\n"
        return {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            "COLUMNS": "160",
            "LOG_LEVEL": "DEBUG",
            "MIGRATION_CONFIG": str(self.folder / "migration.toml"),
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            **credentials,
            "AWS_ENDPOINT_URL": endpoint("error"),
            "AWS_ENDPOINT_URL_CLOUDTRAIL": endpoint("garbage"),
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": endpoint("page"),
            "MACKEREL_APIBASE": endpoint("error"),
        }

    def write_files(self, archive: str = "") -> None:
        text = config_toml(
            f"{ACCOUNT}:loadbalancer/app/photo/50dc6c495c0c9188",
            GROUPS,
            archive=str(self.folder / "archive.db"),
            canary_lines='ecs_service = "photo/web"',
            extra_tables=MACKEREL_TABLE,
            backfill=False,
        )
        if self.profile:
            text = text.replace("[aws]", f'[aws]\nprofile = "{self.profile}"')
        if archive:
            text = re.sub("(?m)^archive = .*", lambda _: f'archive = "{archive}"', text)
        (self.folder / "migration.toml").write_text(text, encoding="utf-8")
        secret, token = FILE_SECRETS
        (self.folder / "credentials").write_text(
            f"[photo]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = {secret}\naws_session_token = {token}\n"
        )

    def run(self, **commands: tuple[str, ...]) -> None:
        """Runs commands of Python at once; adds everything they print to `outputs`."""
        environment = self.environment()
        processes = {name: self._start(args, environment) for name, args in commands.items()}
        for name, process in processes.items():
            self.outputs[name] = process.communicate(timeout=100)[0]

    def _start(self, args: tuple[str, ...], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            (sys.executable, *args), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )


# All text of three pages, as the browser would get it, after every source was polled.
PAGES = """
from streamlit.testing.v1 import AppTest
from domain.logs import configure_logging
configure_logging(default_level="DEBUG")
def texts(block):
    for child in getattr(block, "children", {}).values():
        yield str(getattr(child, "proto", ""))
        yield from texts(child)
for page in ("live", "parity", "retrospective"):
    test = AppTest.from_string(f"from pages import {page}\\n{page}.render()", default_timeout=60).run()
    print(page, *texts(test.main), *(str(error.proto) for error in test.exception))
from ui import app_context
app_context.close()
"""
CRASH = """
import os, sys
import commands.shared.startup as startup
def crash(*_, **__):
    raise RuntimeError(f"unexpected {os.environ['AWS_SESSION_TOKEN']!r} {dict(os.environ)}")
startup.create_sources = crash
sys.argv = ["cli.py", "doctor"]
import cli
cli.app()
"""


@pytest.fixture(scope="module", params=["", "photo"], ids=["environment", "shared credentials file"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Everything was run once."""
    known = (*ENVIRONMENT_SECRETS.values(), URL_PASSWORD)
    with QuotingServer((*known, *SHAPED), FILE_SECRETS if request.param else ()) as server:
        program = Program(tmp_path_factory.mktemp("program"), server, request.param)
        program.write_files()
        # The first fills the archive; the pages then show what is stored.
        program.run(watch=("cli.py", "watch", "--once"))
        program.run(
            doctor=("cli.py", "doctor"), doctor_json=("cli.py", "doctor", "--json"), judge=("cli.py", "judge", "--json")
        )
        program.run(pages=("-c", PAGES), crash=("-c", CRASH))
        yield program


def test_credentials_were_used_and_errors_are_shown(program: Program) -> None:
    """Otherwise the tests below would prove nothing."""
    headers = "\n".join(program.server.headers)
    assert ENVIRONMENT_SECRETS["MACKEREL_APIKEY"] in headers
    assert (FILE_SECRETS[1] in headers) == bool(program.profile)
    assert ENVIRONMENT_SECRETS["AWS_SESSION_TOKEN"] not in headers  # http.client refuses its line break
    expected = "AccessDenied" if program.profile else "Invalid header value"
    for name in ("doctor", "doctor_json", "watch", "pages"):
        assert expected in program.outputs[name].decode()
    assert b"invalid XML received" in program.outputs["doctor"] or not program.profile
    assert b"RuntimeError: unexpected" in program.outputs["crash"]
    assert (program.folder / "archive.db").stat().st_size > 0


@pytest.mark.parametrize("name", ["watch", "doctor", "doctor_json", "judge", "pages", "crash"])
def test_nothing_that_is_printed_shown_or_logged_has_a_secret(program: Program, name: str) -> None:
    output = program.outputs[name]
    assert b"***" in output
    assert leaked(output) == []


def test_no_file_that_the_program_wrote_has_a_secret(program: Program) -> None:
    given = {"migration.toml", "credentials"}
    written = [path for path in program.folder.rglob("*") if path.is_file() and path.name not in given]
    assert "archive.db" in {path.name for path in written}
    assert {path.name: found for path in written if (found := leaked(path.read_bytes()))} == {}


def test_the_password_of_a_malformed_archive_url_does_not_come_out(tmp_path: Path) -> None:
    with QuotingServer(()) as server:
        program = Program(tmp_path, server, "")
        program.write_files(archive=f"postgresql+psycopg:/me:{URL_PASSWORD}@db.invalid/archive")
        program.run(doctor=("cli.py", "doctor"), json=("cli.py", "doctor", "--json"), pages=("-c", PAGES))
    assert b"archive" in program.outputs["doctor"]
    assert {name: found for name, output in program.outputs.items() if (found := leaked(output))} == {}


def test_a_leak_would_be_found() -> None:
    token = ENVIRONMENT_SECRETS["AWS_SESSION_TOKEN"]
    assert leaked(f"Invalid header value {token[:40]!r}") == [token]
    assert leaked(f"Basic {_basic(URL_PASSWORD)}") == [URL_PASSWORD]
    assert leaked(quote(FILE_SECRETS[0], safe="").encode()) == [FILE_SECRETS[0]]
    assert leaked("wJalrXUtnFEMI, FwoGZXIvYXdz") == []
