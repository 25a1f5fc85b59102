"""Several migrations: [[migrations]] in one file, or a folder of files, of which one may be broken."""

import os
from pathlib import Path

import pytest

from domain import Configuration, ConfigurationError, load_configuration
from messages.errors.config import format_config_issue
from tests.factories.config import CONFIG_TOML, EC2


def entry(name: str, more: str = "") -> str:
    """An entry of [[migrations]] with bare names of target groups."""
    return f"""
[[migrations]]
name = "{name}"
{more}
[migrations.fleets.baseline]
label = "EC2"
target_groups = ["ec2"]
[migrations.fleets.canary]
label = "ECS"
target_groups = ["ecs"]
"""


SHARED = '[migration]\ntimezone = "Asia/Tokyo"\n[mackerel]\nservice = "shop"\n'


def load_text(folder: Path, text: str) -> Configuration:
    path = folder / "migration.toml"
    path.write_text(text, encoding="utf-8")
    return load_configuration(path)


def titles(configuration: Configuration) -> list[list[str]]:
    """Where each error is, as a reader sees it."""
    return [[format_config_issue(issue).title for issue in error.issues] for error in configuration.errors]


def test_a_file_without_the_list_is_one_migration(tmp_path: Path) -> None:
    configuration = load_text(tmp_path, CONFIG_TOML)
    assert [migration.name for migration in configuration.migrations] == ["Photo service"]
    assert not configuration.is_list


def test_each_entry_is_a_migration_with_the_shared_tables(tmp_path: Path) -> None:
    own = '[migrations.mackerel]\nservice = "cart"\n'
    configuration = load_text(tmp_path, SHARED + entry("Shop", 'timezone = "UTC"') + entry("Cart") + own)
    assert [
        (item.slug, item.timezone, item.mackerel and item.mackerel.service) for item in configuration.migrations
    ] == [
        ("shop", "UTC", "shop"),
        ("cart", "Asia/Tokyo", "cart"),
    ]
    assert configuration.is_list


def test_a_list_of_one_needs_no_board(tmp_path: Path) -> None:
    assert not load_text(tmp_path, SHARED + entry("Shop")).is_list


@pytest.mark.parametrize(
    ("name", "slug"), [("Photo service", "photo-service"), ("注文 API", "注文-api"), ("!!", "migration")]
)
def test_slugs(tmp_path: Path, name: str, slug: str) -> None:
    text = CONFIG_TOML.replace("Photo service", name)
    assert load_text(tmp_path, text).migrations[0].slug == slug


def test_an_invalid_entry_is_left_out_and_located(tmp_path: Path) -> None:
    wrong = '[[migrations.criteria]]\nmetric = "errors"\nmargin = "1pp"\n'
    configuration = load_text(tmp_path, SHARED + entry("Shop") + entry("Cart", "colour = 1") + wrong)
    assert [migration.name for migration in configuration.migrations] == ["Shop"]
    assert titles(configuration) == [
        ["[[migrations]] no. 2 colour", "[[migrations]] no. 2 [[migrations.criteria]] no. 1 metric"]
    ]
    assert configuration.is_list  # the reader expects two


def test_of_two_migrations_of_one_name_the_second_is_left_out(tmp_path: Path) -> None:
    configuration = load_text(tmp_path, SHARED + entry("Shop") + entry("shop!"))
    assert [migration.name for migration in configuration.migrations] == ["Shop"]
    (error,) = configuration.errors
    (issue,) = error.issues
    assert issue.code == "name_twice"
    message = format_config_issue(issue)
    assert message.title == "[[migrations]] no. 2 name"
    assert message.text == "“shop!” is the name of another migration, or differs from “Shop” only in punctuation."


def test_all_migrations_have_one_archive(tmp_path: Path) -> None:
    configuration = load_text(tmp_path, SHARED + entry("Shop") + entry("Cart", 'archive = "sqlite:///cart.db"'))
    assert [issue.code for error in configuration.errors for issue in error.issues] == ["another_archive"]
    assert titles(configuration) == [["[[migrations]] no. 2 archive"]]


@pytest.mark.parametrize(
    ("text", "code"),
    [("migrations = []\n", "no_migrations"), ("migrations = 3\n", "wrong_type"), ("migrations = [1]\n", "wrong_type")],
)
def test_a_list_without_migrations_is_an_error(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_text(tmp_path, text + SHARED)
    assert [issue.code for issue in raised.value.issues] == [code]


def test_if_no_entry_is_valid_every_issue_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_text(tmp_path, '[[migrations]]\nname = "Shop"\n[[migrations]]\nname = ""\n')
    assert {issue.entry for issue in raised.value.issues} == {1, 2}


def test_a_broken_file_of_a_folder_is_named_and_the_others_run(tmp_path: Path) -> None:
    (tmp_path / "1-broken.toml").write_text("[migration\n")
    (tmp_path / "2-photo.toml").write_text(CONFIG_TOML)
    (tmp_path / "3-shop.toml").write_text(SHARED + entry("Shop") + entry("Cart", "colour = 1"))
    (tmp_path / "notes.txt").write_text("no migration")
    (tmp_path / "4-folder.toml").mkdir()
    configuration = load_configuration(tmp_path)
    # The archive of Shop would be another one than that of the first, were the default not the same.
    assert [migration.name for migration in configuration.migrations] == ["Photo service", "Shop"]
    assert titles(configuration) == [
        ["1-broken.toml · The file"],
        ["3-shop.toml · [[migrations]] no. 2 colour"],
        ["4-folder.toml · The file"],
    ]
    assert [error.path.name for error in configuration.errors] == ["1-broken.toml", "3-shop.toml", "4-folder.toml"]


def test_a_folder_without_valid_files_reports_each(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text("[migration\n")
    with pytest.raises(ConfigurationError) as raised:
        load_configuration(tmp_path)
    assert raised.value.path == tmp_path
    assert [issue.file for issue in raised.value.issues] == ["a.toml", "b.toml"]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_configuration(tmp_path)
    assert [issue.code for issue in raised.value.issues] == ["no_migrations"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_configuration(tmp_path / "missing.toml")
    (issue,) = raised.value.issues
    assert (issue.code, issue.params) == ("not_readable", {"detail": os.strerror(2)})


def test_the_server_table_of_one_file_is_that_of_all(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(CONFIG_TOML)
    (tmp_path / "b.toml").write_text(
        CONFIG_TOML.replace("Photo service", "Orders") + '[server]\nauthor_header = "X-User"\n'
    )
    configuration = load_configuration(tmp_path)
    assert [migration.server.author_header for migration in configuration.migrations] == ["X-User", "X-User"]
    assert EC2 in configuration.migrations[0].fleets.baseline.target_groups
