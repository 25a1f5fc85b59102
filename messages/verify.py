"""Messages of `cli.py verify`."""

from messages.command_help import command_help
from messages.i18n import _, lazy, plural

COMMAND = command_help(
    lazy("Check an evidence file and its sign-offs offline"),
    lazy(
        "Compares every file with the manifest, checks the chain of the ledger, and shows who signed exactly this evidence. Unpacks nothing to disk."
    ),
    exit_codes={
        0: lazy("Unchanged, and signed."),
        1: lazy("A file or a sign-off was changed."),
        2: lazy("Unchanged, but there is no signature under exactly this evidence."),
        3: lazy("Cannot be checked: no evidence file, one of another version, not readable, or an invalid option."),
    },
    examples="""
        cli.py verify evidence-photo-service-20261123T0900Z-20261123T1510Z.zip
        cli.py verify go.zip --json
    """,
)
FILE = lazy("The evidence file to check.")
UNCHANGED = lazy("The files are those of the manifest.")
NOT_SIGNED = lazy("There is no signature under this evidence.")


def unverifiable(code: str, about: str, *, version: int) -> str:
    """Why a file cannot be checked, and the next step. `version`: the one that this program checks."""
    return {
        "unreadable": _("The file cannot be read: {about}."),
        "not_a_zip": _("{about} is not a ZIP. Name a file that `report` or the Parity page wrote."),
        "not_evidence": _(
            "The ZIP has no manifest.json: it is not an evidence file. Name a file that `report` or the Parity page wrote."
        ),
        "older": _(
            "The evidence file has format {about}, and this program checks format {version}: it has no sign-offs. Compare the checksums on its page."
        ),
        "newer": _(
            "The evidence file has format {about}, and this program checks format {version}. Check it with the version that wrote it."
        ),
        "too_large": _("The file is larger than an evidence file can be, and was not read: {about}."),
        "foreign": _("The ZIP has an entry that no evidence file has, or has it twice: {about}. Nothing was read."),
        "damaged": _("The file is damaged, or was written by another program: {about}. Copy it again."),
    }[code].format(about=about, version=version)


def change(code: str, name: str) -> str:
    """What was changed after the file was written."""
    return {
        "changed": _("{name} was changed: it is not what the manifest has."),
        "missing": _("{name} is missing."),
        "extra": _("{name} is not in the manifest."),
        "digest": _("{name} has another SHA-256 of the evidence than its files."),
    }[code].format(name=name)


def evidence(sha256: str) -> str:
    return _("SHA-256 {sha256}").format(sha256=sha256)


def others(n: int) -> str:
    """Signatures of the same phase, under other evidence."""
    return plural(
        "{n} signature is under other evidence of this phase, such as that of an earlier minute.",
        "{n} signatures are under other evidence of this phase, such as that of an earlier minute.",
        n,
    )
