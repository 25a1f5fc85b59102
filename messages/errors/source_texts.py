"""The texts of messages/errors/sources.py: title, what happened, and the next step.

Placeholders: {source}, {operation}, {about}, {key} (the configuration key that is probably wrong), {page} (the source's page in docs/),
{again} (when it is retried) and {skew}; in SPECIAL_TEXTS those that `_special_case` fills in.
"""

from typing import Literal

from messages.i18n import LazyText, lazy
from sources.base import ProblemKind

Vendor = Literal["aws", "mackerel", ""]
Texts = tuple[LazyText | str, LazyText | str, LazyText | str]

PROBLEM_TEXTS: dict[ProblemKind, Texts] = {
    "no_credentials": (
        lazy("No credentials"),
        lazy("{source} was not asked, because there is nothing to sign in with."),
        lazy("Give this program credentials for it, and start it again."),
    ),
    "expired_token": (lazy("Credentials expired"), lazy("{source} refuses {operation}, because the sign-in has run out."), lazy("Sign in again. {again}")),
    "denied": (lazy("Not allowed"), lazy("{source} does not allow {operation}."), lazy("Allow it there. {again}")),
    "wrong_key": (
        lazy("Unknown key"),
        lazy("{source} does not know the key that it was asked with."),
        lazy("Set the right key, and start this program again."),
    ),
    "wrong_region": (
        lazy("Wrong region"),
        lazy("{source} was asked for {about} in a region where that is not."),
        lazy("Set `region` under [aws] to the region in the load balancer's ARN (its fourth part), for example `ap-northeast-1`."),
    ),
    "not_found": (lazy("Not found"), lazy("{source} does not find {about}."), lazy("Check {key}.")),
    "gone": (
        lazy("Not there, or not any more"),
        lazy("{source} does not find {about} ({operation}). What is known of it stays."),
        lazy("If it was deleted, nothing is to be done. Otherwise correct `ecs_service` (cluster/service) or `codedeploy` (application/deployment group) "
          "under [fleets.baseline] or [fleets.canary]."),
    ),
    "elsewhere": (
        lazy("Another load balancer's"),
        lazy("Another load balancer serves {about}, so the numbers are not this migration's."),
        lazy("Correct `target_groups` under [fleets.baseline] or [fleets.canary], or `load_balancer` under [aws]: the target groups must be that load "
          "balancer's."),
    ),
    "no_split": (
        lazy("No split"),
        lazy("There is no rule at {about} that sends traffic to the target groups of both fleets."),
        lazy("Before the first step and after the last that is as it should be. Otherwise forward to both fleets' target groups with weights in one rule, or "
          "name the rule that does in `rule` under [aws]."),
    ),
    "throttled": (
        lazy("Throttled"),
        lazy("{source} was asked more often than it allows."),
        lazy("{again} If it goes on, look for other readers of the same account."),
    ),
    "timeout": (
        lazy("No answer in time"),
        lazy("{source} did not answer {operation} in time."),
        lazy("{again} If it goes on, check the way there from this machine: proxy, firewall, DNS."),
    ),
    "unreachable": (lazy("Unreachable"), lazy("There is no connection to {source}."), lazy("Check the network, DNS and proxy of this machine. {again}")),
    "server_error": (lazy("Their own error"), lazy("{source} failed with an error of its own."), lazy("{again}")),
    "not_supported": (
        lazy("Not supported"),
        lazy("The server that answers for {source} does not support {operation}."),
        lazy("AWS does: check AWS_ENDPOINT_URL if it is set, or the proxy. {again}"),
    ),
    "bad_request": (
        lazy("Bad request"),
        lazy("{source} refused {operation} as wrong."),
        lazy("Check {key} against what is quoted. If that is right, it is a mistake in this program: please report it with the quoted text."),
    ),
    "bad_reply": (
        lazy("Unreadable answer"),
        lazy("{source} answered {operation} with something that its documentation does not promise."),
        lazy("{again} If it goes on, look for a proxy or gateway that answers in its place, and report the quoted text."),
    ),
    "partial_data": (
        lazy("Cut short"),
        lazy("{source} stopped in the middle of its answer and did not go on when asked, for {about}."),
        lazy("Nothing to do. {again} Until then, what is missing is a gap."),
    ),
    "internal_error": (
        lazy("Some series failed"),
        lazy("{source} could not answer for {about}."),
        lazy("Nothing to do. {again} Until then, what is missing is a gap."),
    ),
    "forbidden_metric": (
        lazy("Some series refused"),
        lazy("{source} refuses {about}."),
        lazy("The role may read metrics, but not these. Look for a condition on `cloudwatch:GetMetricData` in its IAM policy, or for a load balancer in an "
          "account that does not share its metrics; {page} has the whole policy."),
    ),
    "refused_metric": (
        lazy("Some series invalid"),
        lazy("{source} rejects {about} as invalid. All other series were read."),
        lazy("Check `slow_thresholds_s` under [migration] against what is quoted. If that is right, it is a mistake in this program: please report it with the "
          "quoted text."),
    ),
    "unanswered_metric": (
        lazy("Some series unanswered"),
        lazy("{source} answered with an error of its own when asked for {about}. All other series were read."),
        lazy("{again} Until then, these series are gaps. If it goes on and AWS_ENDPOINT_URL is set, that server does not support these statistics."),
    ),
    "message": (
        lazy("A remark"),
        lazy("{source} remarked something on its answer."),
        lazy("Read the remark; the numbers may be incomplete. Where it speaks of too many metrics or too long a range, choose a shorter window."),
    ),
    "no_such_metric": (
        lazy("Never reported"),
        lazy("{source} has no {about}."),
        lazy("Nothing to do if it is new: it comes with the first requests. Otherwise check {key}."),
    ),
    "clock_skew": (
        lazy("Clocks differ"),
        lazy("The clock of this machine is {skew} that of {source}, so the newest minutes are not the ones asked for."),
        lazy("Set this machine's clock by NTP (`timedatectl set-ntp true`), and check it with `date -u`."),
    ),
    "not_enabled": (
        lazy("Access logs are off"),
        lazy("The load balancer {about} writes no access logs, so nothing can be compared request by request."),
        lazy("Turn them on: `aws elbv2 modify-load-balancer-attributes --load-balancer-arn {about} --attributes Key=access_logs.s3.enabled,Value=true "
          "Key=access_logs.s3.bucket,Value=BUCKET`. The bucket is in the same region and has a policy that lets Elastic Load Balancing write: {page} has "
          "it. From then on there are logs; of the time before there are none."),
    ),
    "no_room": (
        lazy("The disk is full"),
        lazy("There is no space left for access logs on this machine ({about})."),
        lazy("Free space there, or make `cache_gb` under [access_logs] smaller or `cache` another folder. What was counted is safe. {again}"),
    ),
    "too_costly": (
        lazy("Too costly"),
        lazy("{source} would cost more for this than is allowed, so nothing was begun."),
        lazy("Ask for less, or raise the ceiling in the configuration."),
    ),
    "query_failed": (
        lazy("Query failed"),
        lazy("{source} began a query and could not end it."),
        lazy("What is quoted says why; what was read until then is charged. {page} has the permissions and what is known to go wrong. What was counted "
          "before is safe."),
    ),
    "query_cancelled": (
        lazy("Query cancelled"),
        lazy("{source} ended a query before it was done: it was cancelled, or reached a limit of the workgroup."),
        lazy("Ask again. If it was the limit on the bytes that one query may read, have it raised in the workgroup: a day cannot be read in parts. What was "
          "counted before is safe."),
    ),
    "incomplete": (
        lazy("Answered in part"),
        lazy("{source}: not all of what was asked for was answered ({about})."),
        lazy("Nothing to do for this alone: the rest is asked for again. The source's other problems say why."),
    ),
}  # fmt: skip
# Texts for one vendor; "": as in PROBLEM_TEXTS.
VENDOR_TEXTS: dict[tuple[ProblemKind, Vendor], Texts] = {
    ("no_credentials", "aws"): (
        lazy("No AWS credentials"),
        lazy("{source} was not asked, because there are no AWS credentials to sign the request with."),
        lazy("Run `aws sso login`, set AWS_PROFILE or `profile` under [aws], or run this program where an instance or task role is attached. If the profile "
          "has a `credential_process`, that command must exist and print credentials."),
    ),
    ("no_credentials", "mackerel"): (
        lazy("No Mackerel key"),
        lazy("{source}: not asked, because MACKEREL_APIKEY is not set."),
        lazy("Create an API key with the Read right in Mackerel (organization → API keys), put it into MACKEREL_APIKEY, and start this program again."),
    ),
    ("expired_token", "aws"): (
        lazy("AWS credentials expired"),
        lazy("{source} refuses {operation}, because the AWS credentials have run out."),
        lazy("Run `aws sso login` with the profile that this program uses, or renew the temporary credentials. {again}"),
    ),
    ("denied", "aws"): (
        "",
        lazy("AWS knows who is asking and does not allow {operation}."),
        lazy("Allow `{operation}` in the IAM policy of the user or role that this program runs as; {page} has the whole policy. {again}"),
    ),
    ("denied", "mackerel"): (
        "",
        lazy("Mackerel knows the key and does not allow {operation}."),
        lazy("Give the key the Read right in Mackerel (organization → API keys). If keys are restricted to IP addresses there, add the address of this "
          "machine. {again}"),
    ),
    ("wrong_key", "aws"): (
        lazy("Unknown AWS access key"),
        lazy("AWS does not know the access key, or its secret or session token does not belong to it."),
        lazy("Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together, or none of them and a profile; `aws sts get-caller-identity` "
          "shows whether they fit."),
    ),
    ("wrong_key", "mackerel"): (
        lazy("Unknown Mackerel key"),
        lazy("Mackerel does not know the key in MACKEREL_APIKEY, or it is another organization's."),
        lazy("Put a key of the organization that has this service into MACKEREL_APIKEY, and start this program again."),
    ),
    ("not_found", "aws"): (
        "",
        lazy("{source} does not find {about} ({operation})."),
        lazy("Check {key}: was it deleted, or is it in another account? `aws elbv2 describe-load-balancers` and `aws elbv2 describe-target-groups` list the "
          "ARNs there are."),
    ),
    ("not_found", "mackerel"): (
        lazy("Not found in Mackerel"),
        lazy("Mackerel does not find {about} in the organization that the key belongs to ({operation})."),
        lazy("Check {key}, and that MACKEREL_APIKEY is a key of the right organization."),
    ),
    ("throttled", "aws"): (
        "",
        lazy("{source} was asked for {operation} more often than the quota of this account and region allows."),
        lazy("{again} If it goes on, look for other programs that read in the same account and region, or have the quota raised in Service Quotas; {page} "
          "says what this program asks for."),
    ),
    ("throttled", "mackerel"): (
        "",
        lazy("Mackerel was asked more often than it allows (429)."),
        lazy("{again} If it goes on, look for other programs that read with keys of the same organization."),
    ),
    ("timeout", "aws"): ("", "", lazy("{again} If it goes on, check the way there from this machine: proxy, VPC endpoint, security group.")),
    ("unreachable", "aws"): (
        "",
        "",
        lazy("Check the network, DNS and proxy of this machine, `region` under [aws] (a region that does not exist has no address), and AWS_ENDPOINT_URL if "
          "it is set. {again}"),
    ),
    ("unreachable", "mackerel"): (
        "",
        lazy("There is no connection to Mackerel."),
        lazy("Check the network, DNS and proxy of this machine, and MACKEREL_APIBASE if it is set. {again}"),
    ),
    ("server_error", "aws"): (
        lazy("Error at AWS"),
        lazy("{source} answered {operation} with an error of its own."),
        lazy("{again} If it goes on, see https://health.aws.amazon.com for the region or, if AWS_ENDPOINT_URL is set, what that server supports."),
    ),
    ("server_error", "mackerel"): (
        lazy("Error at Mackerel"),
        lazy("Mackerel failed with an error of its own."),
        lazy("{again} If it goes on, see https://status.mackerel.io."),
    ),
    ("bad_request", "aws"): (
        "",
        "",
        lazy("Check {key} against what is quoted, and AWS_ENDPOINT_URL if it is set. If those are right, it is a mistake in this program: please report it "
          "with the quoted text."),
    ),
    ("bad_reply", "aws"): (
        "",
        "",
        lazy("{again} If it goes on, look for a proxy or an AWS_ENDPOINT_URL that answers in its place, and report the quoted text."),
    ),
    ("no_such_metric", "mackerel"): (
        lazy("Never posted"),
        lazy("Mackerel has never received {about}."),
        lazy("Nothing to do if it is new: it comes with the first requests. Otherwise check `alb_host` under [mackerel], and that Mackerel's AWS integration "
          "collects this load balancer's metrics per target group."),
    ),
    ("clock_skew", "aws"): ("", lazy("The clock of this machine is {skew} that of AWS, which refuses signatures that are five minutes off."), ""),
}  # fmt: skip
SPECIAL_TEXTS: dict[str, Texts] = {
    "poll_failed": (
        lazy("Internal error"),
        lazy("Polling {source} raised an exception in this program."),
        lazy("It is tried again by itself. The log has the traceback: please report it."),
    ),
    "no_such_host": (
        lazy("No such load balancer in Mackerel"),
        lazy("No host in Mackerel has metrics of these target groups. Seen: {hosts}."),
        lazy("Let Mackerel's AWS integration collect the load balancer with its metrics per target group, or name its host's id in "
          "`alb_host` under [mackerel]."),
    ),
    "no_such_service": (
        lazy("No such service in Mackerel"),
        lazy("The organization “{organization}”, to which the key belongs, has no service “{service}”."),
        lazy("Correct `service` under [mackerel] or [batches], or put another organization's key into MACKEREL_APIKEY."),
    ),
    "no_such_rule": (
        lazy("No such rule"),
        lazy("EventBridge has no rule or schedule “{name}” in this account and region."),
        lazy("Correct `rule` or `scheduler` under [[batches.jobs]], or leave it out: the job is then not known to be paused."),
    ),
    "too_costly": (
        lazy("Too costly"),
        lazy("Athena would read {size}, for about {cost}. {ceiling} are allowed, so nothing was begun."),
        lazy("Ask for fewer days, or raise `max_usd` under [access_logs.athena]."),
    ),
    "not_over": (
        lazy("Day not over"),
        lazy("Athena counts whole days (UTC), half an hour after their end: not yet {days}."),
        lazy("Ask again then, or count the files of that day without `--engine athena`."),
    ),
    "counted": (
        lazy("Counted by files"),
        lazy("So many files of {days} were counted one by one that a query cannot leave them all out."),
        lazy("Count the rest of that day without `--engine athena`, and leave that day out here."),
    ),
    "no_output_location": (
        lazy("No place for results"),
        lazy("Neither the configuration nor the workgroup says where in S3 Athena shall put its results."),
        lazy("Write `output` under [access_logs.athena], or let the workgroup have a query result location of its own."),
    ),
    "no_such_group": (
        lazy("Never reported"),
        lazy("CloudWatch has no datapoint of the target group {about} at this load balancer, in the last 454 days."),
        lazy("Nothing to do if it never had a target. Otherwise check `target_groups`, `load_balancer` and `region` in migration.toml against "
          "`aws elbv2 describe-target-groups`, and that the credentials are those of the load balancer's account (`aws sts get-caller-identity`)."),
    ),
    "idle_group": (
        lazy("Never reported"),
        lazy("{source} has datapoints of another target group of the fleet, but none of {about}."),
        lazy("Nothing to do if it is the idle group of a blue/green deployment. Otherwise check its name in `target_groups`."),
    ),
    "no_invocation": (
        lazy("Never invoked"),
        lazy("CloudWatch has no invocation of the function of job {about}, in the last 454 days."),
        lazy("Nothing to do if the job has not run yet. Otherwise check `function` under [[batches.jobs]], `region` under [aws], and that the credentials "
          "are those of the function's account."),
    ),
    "no_run_of_job": (
        lazy("Never posted"),
        lazy("No metric of job {about} was ever posted to the service “{service}”."),
        lazy("Nothing to do if the job has not run yet. Otherwise correct its `name` under [[batches.jobs]], or `service` and the patterns under [batches]: "
          "together they make the metric's name."),
    ),
    "no_run": (
        lazy("No batch has reported"),
        lazy("No metric of the service “{service}” fits a pattern of [batches]: {patterns}."),
        lazy("Nothing to do if no job has run yet. Otherwise correct `service` or the patterns under [batches]."),
    ),
    "baseline_only": ("", lazy("Nothing is split: the baseline has all the weight."), ""),
    "canary_only": ("", lazy("Nothing is split: the canary has all the weight."), ""),
    "too_coarse": (
        lazy("Too coarse"),
        lazy("Mackerel answered with averages over {step} where minutes were asked for, from {since} on; they are not counted as answered."),
        lazy("Nothing to do: it is asked again by itself. If it goes on, the plan keeps minutes for less time than is asked for."),
    ),
}  # fmt: skip
# By problem kind and operation; shown with the source's own words.
ACCESS_LOG_TEXTS: dict[tuple[ProblemKind, str], Texts] = {
    ("internal_error", "count"): (
        lazy("A file could not be counted"),
        lazy("{about} could not be counted; all other files were."),
        lazy("Look whether it is an access log. It is tried again the next time."),
    ),
    ("not_found", "read"): (
        lazy("No such folder"),
        lazy("There is no file and no folder {about}."),
        lazy("Correct `path` under [access_logs], or what stands after `--logs`."),
    ),
    ("denied", "read"): (
        lazy("Logs cannot be read"),
        lazy("This program may not read {about}."),
        lazy("Let the user that it runs as read it, with all that lies below."),
    ),
    ("bad_reply", "read"): (
        lazy("Not a file"),
        lazy("{about} is a pipe, a socket, a device or a link to nothing, and was left out; the files beside it are counted."),
        lazy("Remove it, or put the file itself in its place."),
    ),
    ("not_found", "s3:ListBucket"): (
        lazy("No such bucket"),
        lazy("There is no bucket {about}."),
        lazy("Correct `bucket` under [access_logs], or leave it out: the load balancer's attributes name the bucket that it writes to now."),
    ),
    ("not_found", "s3:GetObject"): (
        lazy("A log file is gone"),
        lazy("It was listed and is not there any more: {about}. Its lines are not counted."),
        lazy("Nothing to do if a lifecycle rule of the bucket removes old logs: count them before that, with `ingest` under [access_logs]."),
    ),
    ("denied", "InvalidObjectState"): (
        lazy("A log file is archived"),
        lazy("A lifecycle rule has moved it to an archive class of S3: {about}. Its lines are not counted."),
        lazy("Restore it with `aws s3api restore-object`, if that time matters; it is then counted by itself."),
    ),
    ("denied", "s3:GetObject"): (
        lazy("A log file may not be read"),
        lazy("AWS does not allow s3:GetObject of {about}. Its lines are not counted; all other files are."),
        lazy("Allow `s3:GetObject` for it in the IAM policy (docs/access_logs.md has the whole policy), and look for a bucket policy or an owner "
          "of the object that refuses. It is asked for again with the next look at that time."),
    ),
}  # fmt: skip
