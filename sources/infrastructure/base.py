"""What reading a team's infrastructure files results in: hints, what could not be read of them, and problems of the services that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from domain.infrastructure import InfrastructureHints
from domain.redaction import redact
from sources.base import Problem

InfrastructureIssueCode = Literal[
    "not_readable",  # a file that is missing, or may not be read
    "file_too_large",  # more bytes than are read of such a file
    "not_utf8",
    "not_yaml",
    "not_json",
    "not_jsonnet",
    "no_jsonnet",  # a Jsonnet file, and no program that evaluates it
    "unknown_suffix",  # of an ecspresso configuration: neither YAML nor JSON nor Jsonnet
    "outside_folder",  # a path that leaves the folder of the configuration that names it
    "control_block",  # {{ if }}, {{ range }}, …: left out
    "not_an_expression",  # {{ … }} that is not closed, or no call of a function
    "unknown_function",  # a template function that only ecspresso has
    "variable_not_set",  # of the environment
    "not_in_state",  # an address of which the state has no value, or none that is read
    "no_state",  # a call of tfstate, and no state that could be read
    "withheld",  # a value that looks like a secret
    "unsupported_location",  # of a state: gs://, azurerm://
    "insecure_location",  # http:// to another host than this one
    "no_token",  # for Terraform Cloud or Enterprise
    "old_state",  # version 3 and below
    "new_state",  # version 5 and above
    "encrypted_state",  # by OpenTofu
    "backend_only",  # .terraform/terraform.tfstate: names the backend that has the state
    "value_too_large",  # one resource of a state
    "not_a_state",
    "no_region",  # of a CloudFormation stack
    "nothing_found",  # none of the types of resources that are read
]


@dataclass(frozen=True, slots=True)
class InfrastructureIssue:
    """Why a file, or one value of it, was not read. `line`: counted from 1, 0 if it is about the whole file. Escape `origin` and `params`."""

    code: InfrastructureIssueCode
    origin: str  # a path or URL
    line: int = 0
    params: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", redact(self.origin))
        object.__setattr__(self, "params", {name: redact(value) for name, value in self.params.items()})


@dataclass(frozen=True, slots=True)
class HintsResult:
    """The hints of one file, state or stack, as far as it could be read."""

    hints: InfrastructureHints = field(default_factory=InfrastructureHints)
    issues: tuple[InfrastructureIssue, ...] = ()
    problems: tuple[Problem, ...] = ()

    def merge(self, other: Self) -> Self:
        """Both; the region is that of `self` if it has one."""
        issues, problems = (*self.issues, *other.issues), (*self.problems, *other.problems)
        return type(self)(self.hints.merge(other.hints), issues, problems)


class InfrastructureError(Exception):
    """What ends the reading of a file, state or stack; caught in this package. Its text is that of no file."""

    def __init__(self, reason: InfrastructureIssue | Problem) -> None:
        super().__init__(reason.code if isinstance(reason, InfrastructureIssue) else reason.kind)
        self.reason = reason

    def result(self) -> HintsResult:
        if isinstance(self.reason, Problem):
            return HintsResult(problems=(self.reason,))
        return HintsResult(issues=(self.reason,))


def is_plain(text: str) -> bool:
    """Whether a value may become a hint: printable, of a name's length, and nothing that looks like a secret."""
    return 0 < len(text) <= 512 and text.isprintable() and redact(text) == text
