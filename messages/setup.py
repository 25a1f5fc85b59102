"""Messages of `init` and of the same on the page: questions, reasons, what could not be proposed, and the comments of the file."""

from collections.abc import Iterable, Iterator, Mapping

from analysis.setup.proposal import (
    Choice,
    ChoiceReasonCode,
    DecisionKey,
    DiscoveryFailure,
    FailureCode,
    Option,
    Proposal,
    ProposedFleet,
    Reason,
)
from messages import times
from messages.command_help import command_help
from messages.errors.sources import shorten
from messages.i18n import LazyText, _, comma_list, lazy
from messages.states import source_name

FLAGS: Mapping[DecisionKey, str] = {
    "load_balancer": "--load-balancer",
    "listener_rule": "--listener-rule",
    "ecs_target_group": "--ecs-target-group",
    "ec2_target_group": "--ec2-target-group",
    "mackerel_service": "--mackerel-service",
}
COMMAND = command_help(
    lazy("Find your load balancer and write migration.toml"),
    lazy(
        "Reads AWS and, with MACKEREL_APIKEY, Mackerel by the credentials at hand, and asks only what is ambiguous, at most six questions. An existing "
        "file is never overwritten without --overwrite. Only reads; docs/init.md has the IAM policy."
    ),
    exit_codes={
        0: lazy("Written; with --json or --output -: printed."),
        1: lazy("Nothing can be proposed, AWS cannot be read, or the file exists or cannot be written."),
        2: lazy("Invalid option, nothing found by that name, or ambiguous without a terminal to ask in."),
    },
    examples="""
        cli.py init
        cli.py init --load-balancer photo --yes
        cli.py init --ecspresso ecspresso.yml --tfstate s3://photo/main.tfstate
        cli.py init --json | jq -r .toml
        cli.py init --output staging.toml && cli.py doctor --config staging.toml
    """,
)
LOAD_BALANCER_HELP = lazy("Name or ARN of the load balancer.")
RULE_HELP = lazy("ARN of the listener rule that splits the traffic.")
EC2_HELP = lazy("Name or ARN of a target group of the old fleet. May be repeated.")
ECS_HELP = lazy("Name or ARN of a target group of the new fleet. May be repeated.")
MACKEREL_HELP = lazy('Mackerel service whose alerts and annotations are drawn; "" for none.')
REGION_HELP = lazy("AWS region. Default: that of the environment or the profile.")
PROFILE_HELP = lazy("Profile of ~/.aws/config. Default: boto3's own choice.")
ECSPRESSO_HELP = lazy("Configuration of ecspresso to start from. May be repeated.")
TFSTATE_HELP = lazy("Terraform state to start from: a file, s3:// or https://. May be repeated.")
CLOUDFORMATION_HELP = lazy("CloudFormation stack to start from. May be repeated.")
OUTPUT_HELP = lazy("The file to write; - prints it.")
YES_HELP = lazy("Accept what is preselected instead of asking.")
OVERWRITE_HELP = lazy("Overwrite an existing file.")
INIT_JSON_HELP = lazy("Print the proposal as JSON, and write nothing.")

QUESTIONS: Mapping[DecisionKey, LazyText] = {
    "load_balancer": lazy("Which load balancer?"),
    "listener_rule": lazy("Which listener rule splits the traffic?"),
    "ecs_target_group": lazy("Which target groups are the new fleet (ECS)?"),
    "ec2_target_group": lazy("Which target groups are the old fleet (EC2)?"),
    "mackerel_service": lazy("Which Mackerel service has the alerts and annotations?"),
}
REGION_QUESTION = lazy("Which AWS region?")
NO_REGION = lazy("No AWS region is configured. Set --region, AWS_REGION, or `region` in the profile.")
LABELS: Mapping[DecisionKey, LazyText] = {
    "load_balancer": lazy("Load balancer"),
    "listener_rule": lazy("Listener rule"),
    "ecs_target_group": lazy("New fleet (ECS)"),
    "ec2_target_group": lazy("Old fleet (EC2)"),
    "mackerel_service": lazy("Mackerel service"),
}
BATCHES = lazy("Batches")
ECS_SERVICE, CODEDEPLOY = lazy("ECS service"), "CodeDeploy"
NONE = lazy("none")
NEXT_STEP = lazy("Next: cli.py doctor checks every permission, then make run.")
# ---- the page

TITLE = lazy("Set up")
PAGE_TITLE = lazy("Set up for your load balancer")
PAGE_EXPLAINED = lazy(
    "Reads AWS and, with MACKEREL_APIKEY, Mackerel by the credentials in the environment of this program, when the button is pressed. It only reads, and this "
    "page writes nothing: the file is yours to save. The same in a terminal: cli.py init."
)
REGION_LABEL = lazy("AWS region")
READ = lazy("Find my load balancer")
READ_AGAIN = lazy("Read again")
FOUND_TITLE = lazy("What was found, and why")
NOT_PROTECTED = lazy(
    "Not on this page: other machines can connect, and any visitor could read what the account has. Run cli.py init on this machine instead."
)
ENTER_REGION = lazy("Enter the AWS region first, such as ap-northeast-1.")
FILE_TITLE = "migration.toml"
DOWNLOAD = lazy("Download migration.toml")
STEPS = (
    lazy("Save migration.toml in the folder of the program."),
    lazy("Run cli.py doctor there: it checks every permission."),
    lazy("Restart the program: it then shows your load balancer instead of the demo."),
)
PREDICATES: Mapping[ChoiceReasonCode, LazyText] = {
    "answered": lazy("chosen by you"),
    "hinted": lazy("named in {origins}"),
    "only_load_balancer": lazy("the only load balancer that was found"),
    "splits": lazy("a rule forwards to {groups}"),
    "has_both_sides": lazy("has target groups with and without an ECS service, but no rule forwards to both yet"),
    "several_groups": lazy("target groups: {n}; no rule forwards to several of them"),
    "only_rule": lazy("the only rule with several target groups"),
    "forwards": lazy("forwards with the weights {weights}"),
    "unconditional": lazy("for all visitors alike"),
    "conditional": lazy("only for requests with a certain header, query string or source"),
    "registered": lazy("the ECS service {service} registers its tasks here"),
    "pair": lazy("the CodeDeploy deployment group {group} moves traffic between these groups"),
    "ip_targets": lazy("its targets are IP addresses"),
    "instance_targets": lazy("its targets are EC2 instances"),
    "not_ecs": lazy("no ECS service registers its tasks here"),
    "ecs_unread": lazy("ECS was not read completely"),
    "remaining": lazy("the other target groups of the rule"),
    "same_name": lazy("has the name of the load balancer or of the ECS service"),
    "only_service": lazy("the only service of the organization"),
    "role_of_host": lazy("the load balancer's host {host} has a role in it"),
    "has_metrics": lazy("the host {host} has metrics of these target groups"),
    "no_host": lazy("no host of the organization {organization} has metrics of these target groups"),
    "no_key": lazy("MACKEREL_APIKEY is not set"),
    "unread": lazy("Mackerel could not be read"),
    "none": lazy("no alerts and annotations"),
}
_FAILURES: Mapping[FailureCode, LazyText] = {
    "no_load_balancer": lazy(
        "No Application Load Balancer was found in {region}. Check the region and the account of the credentials."
    ),
    "one_target_group": lazy("{given}: fewer than two target groups. Create the target group of the new fleet first."),
    "no_answer": lazy("{flag} {given}: not found. Found: {options}."),
}


def reason_text(reason: Reason) -> str:
    """ "forwards with the weights photo-ec2 90, photo-ecs 10"."""
    return str(PREDICATES[reason.code]).format(**{name: shorten(value) for name, value in reason.params})


def reasons_text(reasons: Iterable[Reason]) -> str:
    return "; ".join(map(reason_text, reasons))


def option_text(option: Option) -> str:
    """ "photo-ecs (the ECS service photo/web registers its tasks here)"."""
    label = shorten(option.label) or str(NONE)
    return f"{label} ({reasons_text(option.reasons)})" if option.reasons else label


def findings(proposal: Proposal) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What the proposal has: a heading, a name, and the reasons."""
    yield _finding("load_balancer", proposal.load_balancer.name, proposal.load_balancer_reasons)
    if rule := proposal.rule:
        yield _finding("listener_rule", f"{rule.listener} {rule.priority}", proposal.rule_reasons)
    fleets: Mapping[DecisionKey, ProposedFleet] = {
        "ec2_target_group": proposal.baseline,
        "ecs_target_group": proposal.canary,
    }
    for key, fleet in fleets.items():
        yield _finding(key, comma_list(fleet.target_group_names), fleet.reasons)
        if service := fleet.service:
            yield str(ECS_SERVICE), service_details(service.name, service.desired, service.task_definition), ()
        if fleet.deployment_group:
            yield CODEDEPLOY, shorten(fleet.deployment_group.name), ()
    if batches := proposal.batches:
        yield str(BATCHES), shorten(comma_list(name for name, _trigger in batches.jobs)), ()
    yield _finding("mackerel_service", proposal.mackerel.service or str(NONE), proposal.mackerel.reasons)


def _finding(key: DecisionKey, name: str, reasons: Iterable[Reason]) -> tuple[str, str, tuple[str, ...]]:
    return str(LABELS[key]), shorten(name), tuple(map(reason_text, reasons))


def failure_text(failure: DiscoveryFailure, region: str) -> str:
    return str(_FAILURES[failure.code]).format(
        region=shorten(region),
        given=shorten(failure.given),
        flag=FLAGS[failure.key],
        options=_labels(failure.options),
    )


def ambiguous(choice: Choice) -> str:
    """Why a script must say which one."""
    return _("{question} Candidates: {options}. Set {flag}, or --yes for the first.").format(
        question=QUESTIONS[choice.key], options=_labels(choice.options), flag=FLAGS[choice.key]
    )


def reading(source: str) -> str:
    return _("Reading {source}…").format(source=source_name(source))


def wait(seconds: float) -> str:
    return _("Read several times within a minute. Try again in {duration}.").format(duration=times.duration(seconds))


def exists(path: str) -> str:
    return _("{path} exists. Use --overwrite, or another --output.").format(path=shorten(path))


def written(path: str) -> str:
    return _("Written: {path}").format(path=shorten(path))


def service_details(name: str, desired: int, task_definition: str) -> str:
    return _("{name} · desired tasks: {desired} · task definition: {task_definition}").format(
        name=shorten(name), desired=desired, task_definition=shorten(task_definition) or "–"
    )


def _labels(options: Iterable[Option]) -> str:
    return comma_list(shorten(option.label) or str(NONE) for option in options)


# ---- comments of the file

FILE_HEAD = lazy(
    "Written by cli.py init: each value has the reason why it was chosen. docs/configuration.md explains every key."
)
NAME_COMMENT = lazy("The name on all pages: that of the load balancer. Any text will do.")
TIMEZONE_COMMENT = lazy("The zone of all times: that of {region}.")
CRITERIA_COMMENT = lazy(
    "What parity means is your decision, fixed before the comparison. Without [[criteria]] default margins apply:"
)
BATCHES_COMMENT = lazy(
    "Jobs whose metrics have the name of a rule, a schedule or a function. Check the unit (s, ms or min) and the timestamp: docs/batches.md."
)
CODEDEPLOY_COMMENT = lazy("The deployment group of {service}.")
MACKEREL_COMMENT = lazy("Without [mackerel]: {reasons}.")
