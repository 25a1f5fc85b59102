"""What `note` and `step` have in common."""

import pytest
import typer

from commands.shared.entries import remove_entry


@pytest.mark.parametrize(
    ("key", "removed", "printed"),
    [("ab1", ["ab1f"], "Removed: one"), ("ab", [], "No such entry"), ("c", [], "No such entry")],
)
def test_only_an_unambiguous_key_is_removed(
    key: str, removed: list[str], printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = list[str]()

    def remove(entry: str) -> bool:
        keys.append(entry)
        return True

    entries = {"ab1f": "Removed: one", "ab2f": "Removed: two"}
    with pytest.raises(typer.Exit) as end:
        remove_entry(entries, key, remove, not_found="No such entry", as_json=False)
    output = capsys.readouterr()
    assert (keys, end.value.exit_code, (output.out + output.err).strip()) == (removed, 0 if removed else 1, printed)
