"""Messages for what could not be read of a team's infrastructure files: the place, the issue, and the next step."""

from messages.errors.sources import Message, shorten
from messages.i18n import LazyText, _, lazy
from sources.infrastructure.base import InfrastructureIssue, InfrastructureIssueCode

_FOUND = lazy("No action needed: `init` looks for it in AWS. Everything else of the file was used.")
_TEXTS: dict[InfrastructureIssueCode, tuple[LazyText, LazyText]] = {
    "not_readable": (lazy("Cannot be read: {detail}."), lazy("Check the path and the file's permissions.")),
    "file_too_large": (
        lazy("Larger than {limit}, so it was not read."),
        lazy("Check that it is the right file; of a state, pass the one of the part that has the load balancer."),
    ),
    "value_too_large": (
        lazy("One value of the state is larger than {limit}, so it was not read."),
        lazy("Name the load balancer with `--load-balancer` instead."),
    ),
    "not_utf8": (lazy("Not valid UTF-8."), lazy("Save it as UTF-8; decompress or decrypt it first if needed.")),
    "not_yaml": (lazy("Not valid YAML."), lazy("Correct it: `ecspresso render config` shows what ecspresso reads.")),
    "not_json": (lazy("Not valid JSON."), lazy("Correct it: `ecspresso render` shows what ecspresso reads.")),
    "not_jsonnet": (
        lazy("Jsonnet cannot be evaluated: {detail}."),
        lazy("External variables are not supported: pass what `ecspresso render config` prints instead."),
    ),
    "no_jsonnet": (
        lazy("A Jsonnet file, and nothing installed that evaluates Jsonnet."),
        lazy(
            "Install it with `pip install -r requirements-jsonnet.txt`, or pass what `ecspresso render config` prints."
        ),
    ),
    "unknown_suffix": (
        lazy("Not a configuration of ecspresso: its name ends in “{suffix}”."),
        lazy("Pass a .yml, .yaml, .json or .jsonnet file."),
    ),
    "outside_folder": (
        lazy("“{path}” is outside of the configuration's folder, so it was not read."),
        lazy("Pass a state with `--tfstate`; `init` looks for other values in AWS."),
    ),
    "control_block": (
        lazy("The block {{{{ {expression} }}}} is not evaluated; what it contains was left out."),
        lazy("No action needed if it has nothing of this service. Otherwise pass what `ecspresso render config` prints."),
    ),
    "not_an_expression": (
        lazy("Not a template expression: {{{{ {expression} }}}}."),
        lazy("Correct it. Everything else of the file was used."),
    ),
    "unknown_function": (
        lazy("`{key}` is not rendered: {{{{ {expression} }}}} calls `{function}`, which only ecspresso has."),
        _FOUND,
    ),
    "variable_not_set": (
        lazy("`{key}` is not rendered: the environment variable {variable} is not set."),
        lazy("Set {variable} as for ecspresso; without it, `init` looks for the value in AWS."),
    ),
    "not_in_state": (
        lazy("`{key}` is not rendered: the state has no `{address}`, or it is no name or ARN of a resource that is read."),
        _FOUND,
    ),
    "no_state": (
        lazy("`{key}` is not rendered: no state was read that could have `{address}`."),
        lazy("Pass the state with `--tfstate`; without it, `init` looks for the value in AWS."),
    ),
    "withheld": (
        lazy("The value of {{{{ {expression} }}}} looks like a secret, so it was not used."),
        lazy("Check that it is the right variable."),
    ),
    "unsupported_location": (
        lazy("States cannot be read from there."),
        lazy("Use a file, s3://bucket/key, or https://; `terraform state pull > state.json` writes any state to a file."),
    ),
    "insecure_location": (
        lazy("Not read without TLS: a state has secrets."),
        lazy("Use https://, or `terraform state pull > state.json` and that file."),
    ),
    "no_token": (
        lazy("No token for {host}."),
        lazy(
            "Set {variable}, as for Terraform (or TFE_TOKEN, if {host} is app.terraform.io or TFE_HOSTNAME); "
            "`terraform login {host}` creates one."
        ),
    ),
    "old_state": (
        lazy("A Terraform state of version {version}; only version 4 is read, which Terraform 0.12 and later write."),
        lazy("Run `terraform state pull > state.json` with Terraform 0.12 or later, which prints it in version 4, and pass that file."),
    ),
    "new_state": (
        lazy("A Terraform state of version {version}; only version 4 is read."),
        lazy("Update this program, or name the load balancer with `--load-balancer`."),
    ),
    "encrypted_state": (
        lazy("An encrypted state of OpenTofu."),
        lazy("Run `tofu state pull > state.json` where its key is, pass that file, and delete it afterwards."),
    ),
    "backend_only": (
        lazy("This file only names the backend that has the state."),
        lazy("Pass the state itself: `terraform state pull > state.json` writes it to a file."),
    ),
    "not_a_state": (
        lazy("Not a Terraform state."),
        lazy("Pass the JSON that `terraform state pull` prints, not a plan and not the output of `terraform show`."),
    ),
    "no_region": (lazy("The stack's region is not known."), lazy("Set AWS_REGION or pass `--region`.")),
    "nothing_found": (
        lazy("Nothing of a migration in it: no load balancer, ECS service, deployment group, rule or function."),
        lazy("Pass the state or stack that has the load balancer; nested modules and stacks are read."),
    ),
}  # fmt: skip
ANCHOR = "docs/init.md#what-could-not-be-read"


def format_infrastructure_issue(issue: InfrastructureIssue) -> Message:
    """The message for an issue; its title is the file, and the line if it is known."""
    params = {name: shorten(value, 120) for name, value in issue.params.items()}
    text, step = _TEXTS[issue.code]
    if params.get("location"):
        step = lazy("Pass the state itself: `--tfstate {location}`.")
    origin = shorten(issue.origin, 120)
    title = _("{file}, line {line}").format(file=origin, line=issue.line) if issue.line else origin
    return Message(title, str(text).format(**params), str(step).format(**params), ANCHOR)
