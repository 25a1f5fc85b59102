"""Reads an ecspresso configuration and the definitions beside it: region, cluster, service, CodeDeploy, target groups, task definition.

Keys: https://github.com/kayac/ecspresso (README, "Configuration file", "Plugins"). Of a file only the values that become hints are rendered, so that no
secret of its other parts is read from the environment or from a state.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from sources.base import Problem
from sources.infrastructure.base import (
    HintsResult,
    InfrastructureError,
    InfrastructureIssue,
    InfrastructureIssueCode,
    is_plain,
)
from sources.infrastructure.files import is_inside, read_text
from sources.infrastructure.hints import DEFAULT_CLUSTER, HintsBuilder
from sources.infrastructure.jsonnet import evaluate_jsonnet, is_jsonnet_installed
from sources.infrastructure.templates import (
    CallError,
    Functions,
    Template,
    TemplateError,
    environment_functions,
    parse_template,
    state_functions,
)
from sources.infrastructure.terraform_state import TerraformState

ReadState = Callable[[str], TerraformState]  # of a path or URL; raises InfrastructureError
_Key = str | int
_FILE_SCHEME = "file://"


def read_ecspresso(
    path: Path, environment: Mapping[str, str], read_state: ReadState, states: Sequence[TerraformState] = ()
) -> HintsResult:
    """The hints of a configuration. Never raises.

    `states`: what was read already, in which addresses are looked up that the configuration's own states do not have.
    """
    reader = _EcspressoReader(path, environment, read_state, states)
    reader.read()
    return reader.result()


class _Document:
    """A parsed file with placeholders for its expressions."""

    def __init__(self, path: Path, data: Any, template: Template, *, has_lines: bool) -> None:
        self.path, self._data, self.template = path, data, template
        self.has_lines = has_lines  # whether those of the template are those of the file

    def get(self, *keys: _Key) -> Any:
        """The value at the end of these keys, None if there is none."""
        value = self._data
        for key in keys:
            if isinstance(key, int):
                value = value[key] if isinstance(value, list) and key < len(value) else None
            else:
                value = value.get(key) if isinstance(value, dict) else None
        return value

    def indices(self, *keys: _Key) -> range:
        """Those of the list at the end of these keys."""
        value = self.get(*keys)
        return range(len(value) if isinstance(value, list) else 0)


class _EcspressoReader:
    def __init__(
        self, path: Path, environment: Mapping[str, str], read_state: ReadState, states: Sequence[TerraformState]
    ) -> None:
        self._path, self._folder = path, path.parent
        self._read_state, self._given_states = read_state, tuple(states)
        self._states: dict[str, TerraformState | None] = {}  # by location; None could not be read
        self._functions: Functions = {
            **environment_functions(environment),
            **state_functions("", partial(self._lookup, "")),
        }
        self._builder = HintsBuilder()
        self._issues: list[InfrastructureIssue] = []
        self._problems: list[Problem] = []

    def result(self) -> HintsResult:
        return HintsResult(self._builder.hints(str(self._path)), tuple(self._issues), tuple(self._problems))

    def read(self) -> None:
        config = self._open(self._path)
        if config is None:
            return
        for plugin in config.indices("plugins"):
            self._add_plugin(config, plugin)
        self._builder.add_region(self._text(config, "region"))
        if service := self._text(config, "service"):
            cluster = self._text(config, "cluster") if config.get("cluster") else DEFAULT_CLUSTER
            self._builder.add_service(cluster, service)
        self._builder.add_deployment_group(
            self._text(config, "codedeploy", "application_name"),
            self._text(config, "codedeploy", "deployment_group_name"),
        )
        if definition := self._open_beside(config, "service_definition"):
            self._read_service_definition(definition)
        if definition := self._open_beside(config, "task_definition"):
            wrapper = ("taskDefinition",) if definition.get("taskDefinition") else ()
            self._builder.add("task_definition_families", self._text(definition, *wrapper, "family"))

    def _read_service_definition(self, definition: _Document) -> None:
        for number in definition.indices("loadBalancers"):
            balancer = ("loadBalancers", number)
            advanced = (*balancer, "advancedConfiguration")
            self._builder.add_elb(self._text(definition, *balancer, "targetGroupArn"))
            self._builder.add_elb(self._text(definition, *advanced, "alternateTargetGroupArn"))
            self._builder.add_elb(self._text(definition, *advanced, "productionListenerRule"))

    def _add_plugin(self, config: _Document, number: int) -> None:
        """The functions of a tfstate plugin; those of the others are unknown."""
        if str(config.get("plugins", number, "name")).lower() != "tfstate":
            return
        location = self._text(config, "plugins", number, "config", "path")
        if not location:
            location = self._text(config, "plugins", number, "config", "url")
        is_local = "://" not in location or location.startswith(_FILE_SCHEME)
        if location and is_local:
            file = self._beside(config, location.removeprefix(_FILE_SCHEME))
            location = str(file) if file else ""
        prefix = self._text(config, "plugins", number, "func_prefix")
        self._functions = {**self._functions, **state_functions(prefix, partial(self._lookup, location))}

    def _lookup(self, location: str, address: str) -> str | None:
        """An address in the state at `location`, else in those that were given. Raises CallError if there is no state."""
        if location and location not in self._states:
            try:
                self._states[location] = self._read_state(location)
            except InfrastructureError as error:
                self._states[location] = None
                self._add_reason(error)
        own = self._states.get(location)
        states = (*((own,) if own else ()), *self._given_states)
        if not states:
            raise CallError("no_state", address=address)
        return next((value for state in states if (value := state.lookup(address)) is not None), None)

    def _open_beside(self, config: _Document, key: str) -> _Document | None:
        """The file that the configuration names; None if it names none or it cannot be read."""
        name = self._text(config, key)
        path = self._beside(config, name) if name else None
        return self._open(path) if path else None

    def _beside(self, config: _Document, name: str) -> Path | None:
        path = self._folder / name
        if is_inside(path, self._folder):
            return path
        self._issues.append(InfrastructureIssue("outside_folder", str(config.path), params={"path": name}))
        return None

    def _open(self, path: Path) -> _Document | None:
        try:
            document = _parse(path, self._folder)
        except InfrastructureError as error:
            self._add_reason(error)
            return None
        for block in document.template.blocks:
            self._add_issue(document, "control_block", block.line, expression=block.text)
        return document

    def _text(self, document: _Document, *keys: _Key) -> str:
        """A value that was rendered, "" if there is none or it could not be."""
        value = document.get(*keys)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return ""
        template = document.template
        try:
            text = template.render(str(value), self._functions)
        except TemplateError as error:
            expression = error.expression
            key = ".".join(str(key) for key in keys if isinstance(key, str))
            params = {"expression": expression.text, "key": key, **error.params}
            self._add_issue(document, error.code, expression.line, **params)
            return ""
        if is_plain(text):
            return text
        if expressions := template.expressions_in(str(value)):
            self._add_issue(document, "withheld", expressions[0].line, expression=expressions[0].text)
        return ""

    def _add_issue(self, document: _Document, code: InfrastructureIssueCode, line: int, **params: str) -> None:
        issue = InfrastructureIssue(code, str(document.path), line if document.has_lines else 0, params)
        if issue not in self._issues:
            self._issues.append(issue)

    def _add_reason(self, error: InfrastructureError) -> None:
        result = error.result()
        self._issues += result.issues
        self._problems += result.problems


def _parse(path: Path, folder: Path) -> _Document:
    """A file by its suffix. ecspresso evaluates .json as Jsonnet, too, so comments are allowed there. Raises InfrastructureError."""
    suffix = path.suffix.lower()
    if suffix == ".jsonnet":
        return _parse_jsonnet(path, folder)
    template = _parse_template(path, read_text(path))
    if suffix in (".yml", ".yaml"):
        return _Document(path, _parse_yaml(path, template.text), template, has_lines=True)
    if suffix != ".json":
        raise InfrastructureError(InfrastructureIssue("unknown_suffix", str(path), params={"suffix": suffix}))
    try:
        return _Document(path, _parse_json(path, template.text), template, has_lines=True)
    except InfrastructureError:
        if not is_jsonnet_installed():
            raise
    return _parse_jsonnet(path, folder)


def _parse_jsonnet(path: Path, folder: Path) -> _Document:
    template = _parse_template(path, evaluate_jsonnet(path, folder))
    return _Document(path, _parse_json(path, template.text), template, has_lines=False)


def _parse_template(path: Path, text: str) -> Template:
    template = parse_template(text)
    if template.unclosed:
        params = {"expression": template.unclosed.text}
        raise InfrastructureError(InfrastructureIssue("not_an_expression", str(path), template.unclosed.line, params))
    return template


def _parse_yaml(path: Path, text: str) -> Any:
    """The data with texts for all values. Merge keys (<<) are not resolved, so that no file can grow beyond its size."""
    line = 0
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
    except (yaml.YAMLError, RecursionError, ValueError):
        pass
    raise InfrastructureError(InfrastructureIssue("not_yaml", str(path), line))


def _parse_json(path: Path, text: str) -> Any:
    line = 0
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = error.lineno
    except (RecursionError, ValueError):
        pass
    raise InfrastructureError(InfrastructureIssue("not_json", str(path), line))
