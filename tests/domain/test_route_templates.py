"""Route templates, in Python and in DuckDB."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.route_templates import OTHER_ROUTE, UNREADABLE_ROUTE, pattern_regex, route_template
from sources.access_logs.sql import DUCKDB, FIELDS, counts_sql


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/login", "/login"),
        ("/photos/8812", "/photos/:id"),
        ("/photos/8812/", "/photos/:id"),
        ("/photos/8812/comments", "/photos/:id/comments"),
        ("/a/1/2/3", "/a/:id/:id/:id"),
        ("//1//2", "//:id//:id"),
        ("/items/12345678-1111-4111-8111-000012a67d13", "/items/:id"),
        ("/on/2026-09-21/all", "/on/:id/all"),
        ("/blob/9f8e7d6c5b4a39280a1b2c3d", "/blob/:id"),
        ("/img/photo_0042.jpg", "/img/:id.jpg"),
        ("/js/jquery-3.6.0.min.js", "/js/jquery-3.6.0.min.js"),
        ("/static/app.css", "/static/app.css"),
        ("/u/user48213", "/u/:id"),
        ("/assets/app.1234.js", "/assets/app.:id.js"),
        ("/assets/app/1234.js", "/assets/app/:id.js"),
        ("/assets/app.1234/x.5678.js", "/assets/app.:id/x.:id.js"),
        ("/assets/main.9f8e7d6c.chunk.css", "/assets/main.:id.chunk.css"),
        ("/assets/main.abcdefa0.js", "/assets/main.:id.js"),
        ("/assets/1234.5678.js", "/assets/:id.:id.js"),
        ("/static/app.v2.min.js", "/static/app.v2.min.js"),
        ("/login;jsessionid=00000000000000000000000000000000", "/login"),
        ("/photos/8812;v=1/comments;jsessionid=0001;x", "/photos/:id/comments"),
        ("/;jsessionid=1234567890abcdef", "/"),
        ("/photos;a/;b/12", "/photos//:id"),
        ("/watch/dQw4w9WgXcQ-1aB", "/watch/:id"),
        ("/api/v1/mp3", "/api/v1/mp3"),
        ("/terms-of-service-agreement", "/terms-of-service-agreement"),
        ("/<script>alert(1)</script>", "/<script>alert(1)</script>"),
        ("", UNREADABLE_ROUTE),
        ("*", UNREADABLE_ROUTE),
    ],
)
def test_route_of_a_path(path: str, route: str) -> None:
    assert route_template(path) == route


def test_the_first_matching_pattern_takes_precedence() -> None:
    patterns = ("/u/*/photos/*", "/u/**", "/a.b/(1)")
    assert route_template("/u/user48213/photos/8812", patterns) == "/u/*/photos/*"
    assert route_template("/u/user48213/photos/8812/raw", patterns) == "/u/**"
    assert route_template("/a.b/(1)", patterns) == "/a.b/(1)"
    assert route_template("/axb/(1)", patterns) == "/axb/(1)"  # no variable segment, and the dot is literal
    assert route_template("/photos/8812", patterns) == "/photos/:id"
    assert route_template("/u/user48213;jsessionid=1/photos/8812", patterns) == "/u/*/photos/*"
    assert pattern_regex("/a.b/*") == r"^/a\.b/[^/]+$"
    assert OTHER_ROUTE not in patterns


_SEGMENT = st.text(alphabet="abcxyzABCF0123456789-_.;:é'\\$", max_size=24)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(_SEGMENT, max_size=5).map(lambda segments: "/" + "/".join(segments)), min_size=1, max_size=20))
@pytest.mark.slow
def test_duckdb_computes_the_same_routes(paths: list[str]) -> None:
    patterns = ("/u/*/it's", "/x.y/**")
    database = duckdb.connect()
    database.execute(f"CREATE TABLE lines ({', '.join(f'{name} VARCHAR' for name in FIELDS)})").fetchall()
    for path in paths:
        line = dict.fromkeys(FIELDS, "-") | {"type": "h2", "time": "2026-09-21T14:18:00.000000Z"}
        line["request"] = f"GET https://example.com:443{path} HTTP/2.0"
        database.execute(f"INSERT INTO lines VALUES ({', '.join('?' * len(line))})", list(line.values())).fetchall()
    counted = database.sql(
        f"SELECT route, sum(n) FROM ({counts_sql(DUCKDB, 'lines', patterns)}) GROUP BY route"
    ).fetchall()
    expected: dict[str, int] = {}
    for path in paths:
        route = route_template(path, patterns)
        expected[route] = expected.get(route, 0) + 1
    assert dict(counted) == expected
