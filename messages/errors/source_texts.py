"""The texts of messages/errors/sources.py: for each kind a title, what happened, and the next step; by system, "" being for everybody else.

May be filled in: {source}, {operation}, {about}, {key} (the configuration key it is most likely about), {page} (the source's page in docs/),
{again} (that it is asked again by itself, and when), {skew}.
"""

from messages.i18n import _
from sources.base import ProblemKind

Texts = tuple[str, str, str]

PROBLEM_TEXTS: dict[ProblemKind, dict[str, Texts]] = {
    "no_credentials": {
        "": (
            _("No credentials"),
            _("{source} was not asked, because there is nothing to sign in with."),
            _("Give this program credentials for it, and start it again."),
        ),
        "aws": (
            _("No AWS credentials"),
            _("{source} was not asked, because there are no AWS credentials to sign the request with."),
            _(
                "Run `aws sso login`, set AWS_PROFILE or `profile` under [aws], or run this program where an instance or task role is "
                "attached."
            ),
        ),
        "mackerel": (
            _("No Mackerel key"),
            _("{source}: not asked, because MACKEREL_APIKEY is not set."),
            _(
                "Create an API key with the Read right in Mackerel (organization → API keys), put it into MACKEREL_APIKEY, and start this "
                "program again."
            ),
        ),
    },
    "expired_token": {
        "": (
            _("Sign-in has run out"),
            _("{source} refuses {operation}, because the sign-in has run out."),
            _("Sign in again. {again}"),
        ),
        "aws": (
            _("AWS sign-in has run out"),
            _("{source} refuses {operation}, because the AWS credentials have run out."),
            _(
                "Run `aws sso login` with the profile that this program uses, or renew the temporary credentials. {again}"
            ),
        ),
    },
    "denied": {
        "": (
            _("Not allowed"),
            _("{source} does not allow {operation}."),
            _("Allow it there. {again}"),
        ),
        "aws": (
            _("Not allowed"),
            _("AWS knows who is asking and does not allow {operation}."),
            _(
                "Allow `{operation}` in the IAM policy of the user or role that this program runs as; {page} has the whole policy. {again}"
            ),
        ),
        "mackerel": (
            _("Not allowed"),
            _("Mackerel knows the key and does not allow {operation}."),
            _(
                "Give the key the Read right in Mackerel (organization → API keys). If keys are restricted to IP addresses there, add the "
                "address of this machine. {again}"
            ),
        ),
    },
    "wrong_key": {
        "": (
            _("Unknown key"),
            _("{source} does not know the key that it was asked with."),
            _("Set the right key, and start this program again."),
        ),
        "aws": (
            _("Unknown AWS access key"),
            _("AWS does not know the access key, or its secret or session token does not belong to it."),
            _(
                "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together, or none of them and a profile; "
                "`aws sts get-caller-identity` shows whether they fit."
            ),
        ),
        "mackerel": (
            _("Unknown Mackerel key"),
            _("Mackerel does not know the key in MACKEREL_APIKEY, or it is another organization's."),
            _(
                "Put a key of the organization that has this service into MACKEREL_APIKEY, and start this program again."
            ),
        ),
    },
    "wrong_region": {
        "": (
            _("Wrong region"),
            _("{source} was asked for {about} in a region where that is not."),
            _(
                "Set `region` under [aws] to the region in the load balancer's ARN (its fourth part), for example `ap-northeast-1`."
            ),
        ),
    },
    "not_found": {
        "": (
            _("Not found"),
            _("{source} does not find {about}."),
            _("Check {key}."),
        ),
        "aws": (
            _("Not found"),
            _("{source} does not find {about} ({operation})."),
            _(
                "Check {key}: was it deleted, or is it in another account? `aws elbv2 describe-load-balancers` and "
                "`aws elbv2 describe-target-groups` list the ARNs there are."
            ),
        ),
        "mackerel": (
            _("Not found in Mackerel"),
            _("Mackerel does not find {about} in the organization that the key belongs to ({operation})."),
            _("Check {key}, and that MACKEREL_APIKEY is a key of the right organization."),
        ),
    },
    "gone": {
        "": (
            _("Not there, or not any more"),
            _("{source} does not find {about} ({operation}). What is known of it stays."),
            _(
                "If it was deleted, nothing is to be done. Otherwise correct `ecs_service` (cluster/service) or `codedeploy` "
                "(application/deployment group) under [fleets.baseline] or [fleets.canary]."
            ),
        ),
    },
    "elsewhere": {
        "": (
            _("Another load balancer's"),
            _("Another load balancer serves {about}, so the numbers are not this migration's."),
            _(
                "Correct `target_groups` under [fleets.baseline] or [fleets.canary], or `load_balancer` under [aws]: the target groups must "
                "be that load balancer's."
            ),
        ),
    },
    "no_split": {
        "": (
            _("No split"),
            _("There is no rule at {about} that sends traffic to the target groups of both fleets."),
            _(
                "Before the first step and after the last that is as it should be. Otherwise forward to both fleets' target groups with "
                "weights in one rule, or name the rule that does in `rule` under [aws]."
            ),
        ),
    },
    "throttled": {
        "": (
            _("Throttled"),
            _("{source} was asked more often than it allows."),
            _("{again} If it goes on, look for other readers of the same account."),
        ),
        "aws": (
            _("Throttled"),
            _("{source} was asked for {operation} more often than the quota of this account and region allows."),
            _(
                "{again} If it goes on, look for other programs that read in the same account and region, or have the quota raised in "
                "Service Quotas; {page} says what this program asks for."
            ),
        ),
        "mackerel": (
            _("Throttled"),
            _("Mackerel was asked more often than it allows (429)."),
            _("{again} If it goes on, look for other programs that read with keys of the same organization."),
        ),
    },
    "timeout": {
        "": (
            _("No answer in time"),
            _("{source} did not answer {operation} in time."),
            _("{again} If it goes on, check the way there from this machine: proxy, firewall, DNS."),
        ),
        "aws": (
            _("No answer in time"),
            _("{source} did not answer {operation} in time."),
            _("{again} If it goes on, check the way there from this machine: proxy, VPC endpoint, security group."),
        ),
    },
    "unreachable": {
        "": (
            _("Unreachable"),
            _("There is no connection to {source}."),
            _("Check the network, DNS and proxy of this machine. {again}"),
        ),
        "aws": (
            _("Unreachable"),
            _("There is no connection to {source}."),
            _(
                "Check the network, DNS and proxy of this machine, `region` under [aws] (a region that does not exist has no address), "
                "and AWS_ENDPOINT_URL if it is set. {again}"
            ),
        ),
        "mackerel": (
            _("Unreachable"),
            _("There is no connection to Mackerel."),
            _("Check the network, DNS and proxy of this machine, and MACKEREL_APIBASE if it is set. {again}"),
        ),
    },
    "server_error": {
        "": (
            _("Their own error"),
            _("{source} failed with an error of its own."),
            _("{again}"),
        ),
        "aws": (
            _("Error at AWS"),
            _("{source} failed with an error of its own."),
            _("{again} If it goes on, see https://health.aws.amazon.com for the region."),
        ),
        "mackerel": (
            _("Error at Mackerel"),
            _("Mackerel failed with an error of its own."),
            _("{again} If it goes on, see https://status.mackerel.io."),
        ),
    },
    "bad_request": {
        "": (
            _("Refused as nonsense"),
            _("{source} refused {operation} as wrong."),
            _(
                "Check {key} against what is quoted. If that is right, it is a mistake in this program: please report it with the quoted text."
            ),
        ),
        "aws": (
            _("Refused as nonsense"),
            _("{source} refused {operation} as wrong."),
            _(
                "Check {key} against what is quoted, and AWS_ENDPOINT_URL if it is set. If those are right, it is a mistake in this "
                "program: please report it with the quoted text."
            ),
        ),
    },
    "bad_reply": {
        "": (
            _("Unreadable answer"),
            _("{source} answered {operation} with something that its documentation does not promise."),
            _(
                "{again} If it goes on, look for a proxy or gateway that answers in its place, and report the quoted text."
            ),
        ),
        "aws": (
            _("Unreadable answer"),
            _("{source} answered {operation} with something that its documentation does not promise."),
            _(
                "{again} If it goes on, look for a proxy or an AWS_ENDPOINT_URL that answers in its place, and report the quoted text."
            ),
        ),
    },
    "partial_data": {
        "": (
            _("Cut short"),
            _("{source} stopped in the middle of its answer and did not go on when asked, for {about}."),
            _("Nothing to do. {again} Until then, what is missing is a gap."),
        ),
    },
    "internal_error": {
        "": (
            _("Some series failed"),
            _("{source} could not answer for {about}."),
            _("Nothing to do. {again} Until then, what is missing is a gap."),
        ),
    },
    "forbidden_metric": {
        "": (
            _("Some series refused"),
            _("{source} refuses {about}."),
            _(
                "The role may read metrics, but not these. Look for a condition on `cloudwatch:GetMetricData` in its IAM policy, or for a "
                "load balancer in an account that does not share its metrics; {page} has the whole policy."
            ),
        ),
    },
    "message": {
        "": (
            _("A remark"),
            _("{source} remarked something on its answer."),
            _(
                "Read the remark; the numbers may be incomplete. Where it speaks of too many metrics or too long a range, choose a shorter window."
            ),
        ),
    },
    "no_such_metric": {
        "": (
            _("Never reported"),
            _("{source} has never heard of {about}."),
            _("Nothing to do if it is new: it comes with the first requests. Otherwise check {key}."),
        ),
        "mackerel": (
            _("Never posted"),
            _("Mackerel has never received {about}."),
            _(
                "Nothing to do if it is new: it comes with the first requests. Otherwise check `alb_host` under [mackerel], and that "
                "Mackerel's AWS integration collects this load balancer's metrics per target group."
            ),
        ),
    },
    "clock_skew": {
        "": (
            _("Clocks differ"),
            _(
                "The clock of this machine is {skew} that of {source}, so the newest minutes are not the ones asked for."
            ),
            _("Set this machine's clock by NTP (`timedatectl set-ntp true`), and check it with `date -u`."),
        ),
        "aws": (
            _("Clocks differ"),
            _("The clock of this machine is {skew} that of AWS, which refuses signatures that are five minutes off."),
            _("Set this machine's clock by NTP (`timedatectl set-ntp true`), and check it with `date -u`."),
        ),
    },
    "not_enabled": {
        "": (
            _("Access logs are off"),
            _("The load balancer {about} writes no access logs, so nothing can be compared request by request."),
            _(
                "Turn them on: `aws elbv2 modify-load-balancer-attributes --load-balancer-arn {about} --attributes "
                "Key=access_logs.s3.enabled,Value=true Key=access_logs.s3.bucket,Value=BUCKET`. The bucket is in the same region and has a policy "
                "that lets Elastic Load Balancing write: {page} has it. From then on there are logs; of the time before there are none."
            ),
        ),
    },
    "no_room": {
        "": (
            _("The disk is full"),
            _("There is no space left for access logs on this machine ({about})."),
            _(
                "Free space there, or make `cache_gb` under [access_logs] smaller or `cache` another folder. What was counted is safe. {again}"
            ),
        ),
    },
    "too_costly": {
        "": (
            _("Too costly"),
            _("{source} would cost more for this than is allowed, so nothing was begun."),
            _("Ask for less, or raise the ceiling in the configuration."),
        ),
    },
    "query_failed": {
        "": (
            _("Query failed"),
            _("{source} began a query and could not end it."),
            _(
                "What is quoted says why; what was read until then is charged. {page} has the permissions and what is known to go wrong. What was "
                "counted before is safe."
            ),
        ),
    },
    "query_cancelled": {
        "": (
            _("Query cancelled"),
            _("{source} ended a query before it was done: somebody cancelled it, or a limit of the workgroup did."),
            _(
                "Ask again. If it was the limit on the bytes that one query may read, have it raised in the workgroup: a day cannot be "
                "read in parts. What was counted before is safe."
            ),
        ),
    },
    "incomplete": {
        "": (
            _("Answered in part"),
            _("{source}: not all of what was asked for was answered ({about})."),
            _("Nothing to do for this alone: the rest is asked for again. The source's other problems say why."),
        ),
    },
}
