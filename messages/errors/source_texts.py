"""The texts of messages/errors/sources.py: title, what happened, and the next step.

Placeholders: {source}, {operation}, {about}, {key} (the configuration key that is probably wrong), {page} (the source's page in docs/),
{again} (when it is retried) and {skew}; in SPECIAL_TEXTS those that `_special_case` fills in.
"""

from typing import Literal

from messages.i18n import LazyText, lazy
from sources.base import ProblemKind

Vendor = Literal["aws", "mackerel", "webhook"]
Texts = tuple[LazyText | str, LazyText | str, LazyText | str]

PROBLEM_TEXTS: dict[ProblemKind, Texts] = {
    "no_credentials": (
        lazy("No credentials"),
        lazy("{source} was not queried: no credentials."),
        lazy("Set its credentials and restart."),
    ),
    "expired_token": (lazy("Credentials expired"), lazy("{source} denied {operation}: credentials expired."), lazy("Sign in again. {again}")),
    "denied": (lazy("Access denied"), lazy("{source} denied {operation}."), lazy("Grant the permission. {again}")),
    "wrong_key": (
        lazy("Invalid key"),
        lazy("{source} does not recognize the key."),
        lazy("Set the correct key and restart."),
    ),
    "wrong_region": (
        lazy("Wrong region"),
        lazy("{source}: wrong region for {about}."),
        lazy("Set `region` under [aws] to the region in the load balancer's ARN (its fourth part), for example `ap-northeast-1`."),
    ),
    "not_found": (lazy("Not found"), lazy("{source} did not find {about}."), lazy("Check {key}.")),
    "gone": (
        lazy("Not found or deleted"),
        lazy("{source} did not find {about} ({operation}). Stored data is kept."),
        lazy("If it was deleted, no action is needed. Otherwise correct `ecs_service` (cluster/service) or `codedeploy` "
"(application/deployment group) under [fleets.baseline] or [fleets.canary]."),
    ),
    "elsewhere": (
        lazy("Wrong load balancer"),
        lazy("Another load balancer serves {about}: its data is not this migration's."),
        lazy("Correct `target_groups` under [fleets.baseline] or [fleets.canary], or `load_balancer` under [aws]: the "
"target groups must belong to that load balancer."),
    ),
    "no_split": (
        lazy("No split"),
        lazy("No rule of {about} forwards to target groups of both fleets."),
        lazy("Expected before the first step and after the last. Otherwise forward to both fleets' target groups with "
"weights in one rule, or set that rule as `rule` under [aws]."),
    ),
    "throttled": (
        lazy("Throttled"),
        lazy("{source} rate limit exceeded."),
        lazy("{again} If it persists, look for other clients of the same account."),
    ),
    "timeout": (
        lazy("Timeout"),
        lazy("{source}: {operation} timed out."),
        lazy("{again} If it persists, check connectivity from this host: proxy, firewall, DNS."),
    ),
    "unreachable": (lazy("Unreachable"), lazy("Cannot connect to {source}."), lazy("Check the network, DNS and proxy of this host. {again}")),
    "server_error": (lazy("Server error"), lazy("{source} returned a server error."), lazy("{again}")),
    "not_supported": (
        lazy("Not supported"),
        lazy("The server behind {source} does not support {operation}."),
        lazy("AWS does: check AWS_ENDPOINT_URL if it is set, or the proxy. {again}"),
    ),
    "bad_request": (
        lazy("Bad request"),
        lazy("{source} rejected {operation} as a bad request."),
        lazy("Compare {key} with the quoted message. If it is correct, this is a bug: please report it with that message."),
    ),
    "bad_reply": (
        lazy("Invalid response"),
        lazy("{source} returned an undocumented response to {operation}."),
        lazy("{again} If it persists, look for a proxy or gateway that responds in its place, and report the quoted "
"message."),
    ),
    "partial_data": (
        lazy("Response truncated"),
        lazy("{source} truncated its response for {about}, and a retry did not complete it."),
        lazy("No action needed. {again} Until then, missing data is shown as a gap."),
    ),
    "internal_error": (
        lazy("Some series failed"),
        lazy("{source} failed to return {about}."),
        lazy("No action needed. {again} Until then, missing data is shown as a gap."),
    ),
    "forbidden_metric": (
        lazy("Some series denied"),
        lazy("{source} denied {about}."),
        lazy("The role may read metrics, but not these. Check for a condition on `cloudwatch:GetMetricData` in its IAM "
"policy, or for a load balancer in an account that does not share its metrics; full policy: {page}."),
    ),
    "refused_metric": (
        lazy("Some series invalid"),
        lazy("{source} rejects {about} as invalid. All other series were read."),
        lazy("Compare `slow_thresholds_s` under [migration] with the quoted message. If it is correct, this is a bug: "
"please report it with that message."),
    ),
    "unanswered_metric": (
        lazy("Server error for some series"),
        lazy("{source} returned a server error for {about}. All other series were read."),
        lazy("{again} Until then, these series have gaps. If it persists and AWS_ENDPOINT_URL is set, that server does "
"not support these statistics."),
    ),
    "message": (
        lazy("Notice"),
        lazy("{source} added a message to its response."),
        lazy("See the message; data may be incomplete. If it is about too many metrics or too long a range, choose a "
"shorter window."),
    ),
    "no_such_metric": (
        lazy("Never reported"),
        lazy("{source} has no {about}."),
        lazy("No action needed if it is new: data starts with the first requests. Otherwise check {key}."),
    ),
    "clock_skew": (
        lazy("Clock skew"),
        lazy("This host's clock is {skew} that of {source}, so the newest minutes do not match the request."),
        lazy("Synchronize this host's clock by NTP (`timedatectl set-ntp true`), and check it with `date -u`."),
    ),
    "not_enabled": (
        lazy("Access logs are off"),
        lazy("Access logs of the load balancer {about} are disabled, so requests cannot be compared one by one."),
        lazy("Enable them: `aws elbv2 modify-load-balancer-attributes --load-balancer-arn {about} --attributes "
"Key=access_logs.s3.enabled,Value=true Key=access_logs.s3.bucket,Value=BUCKET`. The bucket must be in the "
"same region, with a policy that allows Elastic Load Balancing to write (see {page}). Logs exist from then "
"on only."),
    ),
    "no_room": (
        lazy("The disk is full"),
        lazy("No disk space left for access logs ({about})."),
        lazy("Free disk space, reduce `cache_gb`, or set another `cache` folder under [access_logs]. Processed data is "
"safe. {again}"),
    ),
    "too_costly": (
        lazy("Cost limit exceeded"),
        lazy("The {source} query would exceed the cost limit, so it was not started."),
        lazy("Query less, or raise the limit in the configuration."),
    ),
    "query_failed": (
        lazy("Query failed"),
        lazy("A {source} query failed."),
        lazy("See the quoted message; bytes scanned so far are billed. Permissions and known problems: {page}. Processed "
"data is safe."),
    ),
    "query_cancelled": (
        lazy("Query cancelled"),
        lazy("A {source} query was cancelled, or reached a limit of the workgroup."),
        lazy("Retry. If it was the workgroup's limit on bytes scanned per query, raise it: a day cannot be queried in "
"parts. Processed data is safe."),
    ),
    "incomplete": (
        lazy("Partial response"),
        lazy("{source} returned only part of the requested data ({about})."),
        lazy("Retrying the rest automatically. See this source's other problems for the cause."),
    ),
    "no_secret": (
        lazy("Secret missing"),
        lazy("Nothing is sent to {source}: the environment variable {about} is not set, or not valid."),
        lazy("Set {about} where the recorder and the dashboard run, then restart: an https:// address, or a secret of at least 16 bytes."),
    ),
    "private_address": (
        lazy("Private address"),
        lazy("Nothing is sent to {source}: the host in {about} is in a private network."),
        lazy("Correct the address, or set `allow_private = true` under [notify] if that is intended."),
    ),
    "not_installed": (
        lazy("Packages missing"),
        lazy("Packages that the configuration needs are not installed: {about}."),
        lazy("`pip install --require-hashes -r requirements-auth.txt`, then restart. The container image has them."),
    ),
    "bad_certificate": (
        lazy("Invalid certificate"),
        lazy("The certificate of {about} cannot be verified."),
        lazy("If it has expired or is for another name, have it renewed, or correct {key}. If a private CA issued it, set SSL_CERT_FILE (for a load "
             "balancer's sign-in REQUESTS_CA_BUNDLE) to a file with that CA where the dashboard runs."),
    ),
    "no_approver": (
        lazy("No approver"),
        lazy("No user can sign off a phase: [sign_in] has no `approvers`."),
        lazy("No action needed without sign-offs. Otherwise add e-mail addresses or groups to `approvers` under [sign_in]."),
    ),
}  # fmt: skip
# Texts for one source or for one vendor; "": as in PROBLEM_TEXTS.
VENDOR_TEXTS: dict[tuple[ProblemKind, str], Texts] = {
    ("no_credentials", "aws"): (
        lazy("No AWS credentials"),
        lazy("{source} was not queried: no AWS credentials."),
        lazy("Run `aws sso login`, set AWS_PROFILE or `profile` under [aws], or run this program where an instance or task role is attached. If the profile "
          "has a `credential_process`, that command must exist and print credentials."),
    ),
    ("internal_error", "probe"): (
        lazy("The probes failed"),
        lazy("Sending the probes raised an exception in this program."),
        lazy("Send them again. If they fail again, report the traceback in the log."),
    ),
    ("no_credentials", "mackerel"): (
        lazy("No Mackerel key"),
        lazy("{source} was not queried: MACKEREL_APIKEY is not set."),
        lazy("Create an API key with Read permission in Mackerel (organization → API keys), set it as MACKEREL_APIKEY, "
"and restart."),
    ),
    ("expired_token", "aws"): (
        lazy("AWS credentials expired"),
        lazy("{source} denied {operation}: AWS credentials expired."),
        lazy("Run `aws sso login` with the profile that this program uses, or renew the temporary credentials. {again}"),
    ),
    ("denied", "aws"): (
        "",
        lazy("AWS denied {operation}."),
        lazy("Allow `{operation}` in the IAM policy of this program's user or role; full policy: {page}. {again}"),
    ),
    ("denied", "mackerel"): (
        "",
        lazy("Mackerel denied {operation} for this key."),
        lazy("Grant the key Read permission in Mackerel (organization → API keys). If keys are restricted to IP "
"addresses, add this host's. {again}"),
    ),
    ("wrong_key", "aws"): (
        lazy("Invalid AWS access key"),
        lazy("AWS does not recognize the access key, or its secret or session token does not match."),
        lazy("Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together, or none of them and a profile; "
"`aws sts get-caller-identity` shows whether they match."),
    ),
    ("wrong_key", "mackerel"): (
        lazy("Invalid Mackerel key"),
        lazy("Mackerel does not recognize the key in MACKEREL_APIKEY, or it belongs to another organization."),
        lazy("Set MACKEREL_APIKEY to a key of the organization that has this service, and restart."),
    ),
    ("denied", "mackerel_annotations"): (
        "",
        lazy("Mackerel denied {operation} for the key in {about}."),
        lazy("Grant the key Write permission in Mackerel (organization → API keys). If keys are restricted to IP addresses, add this host's. {again}"),
    ),
    ("wrong_key", "mackerel_annotations"): (
        lazy("Invalid Mackerel key"),
        lazy("Mackerel does not recognize the key in {about}, or it belongs to another organization."),
        lazy("Set {about} to a key with Write permission of the organization that has this service, and restart."),
    ),
    ("not_found", "mackerel_annotations"): (
        lazy("Not found in Mackerel"),
        lazy("Mackerel did not find the service {about} in the key's organization."),
        lazy("Correct `mackerel_service` under [notify], or `service` under [mackerel]."),
    ),
    ("not_found", "sns"): (
        lazy("No such topic"),
        lazy("SNS has no topic {about}."),
        lazy("Correct `sns_topic` under [notify]."),
    ),
    ("denied", "webhook"): (
        "",
        lazy("{source} does not accept messages at the URL in {about}."),
        lazy("Allow the webhook there, or set {about} to the URL of another one and restart. {again}"),
    ),
    ("not_found", "webhook"): (
        lazy("Webhook not found"),
        lazy("{source} has no webhook at the URL in {about}."),
        lazy("Create one, set {about} to its URL where the recorder and the dashboard run, and restart."),
    ),
    ("not_found", "aws"): (
        "",
        lazy("{source} did not find {about} ({operation})."),
        lazy("Check {key}: it may be deleted or in another account. `aws elbv2 describe-load-balancers` and `aws elbv2 "
"describe-target-groups` list the existing ARNs."),
    ),
    ("not_found", "mackerel"): (
        lazy("Not found in Mackerel"),
        lazy("Mackerel did not find {about} in the key's organization ({operation})."),
        lazy("Check {key}, and that MACKEREL_APIKEY belongs to the right organization."),
    ),
    ("throttled", "aws"): (
        "",
        lazy("{source} throttled {operation}: the quota of this account and region is exceeded."),
        lazy("{again} If it persists, look for other clients in the same account and region, or request an increase in "
"Service Quotas; {page} lists this program's requests."),
    ),
    ("throttled", "mackerel"): (
        "",
        lazy("Mackerel rate limit exceeded (429)."),
        lazy("{again} If it persists, look for other clients with keys of the same organization."),
    ),
    ("timeout", "aws"): ("", "", lazy("{again} If it persists, check connectivity from this host: proxy, VPC endpoint, security group.")),
    ("unreachable", "aws"): (
        "",
        "",
        lazy("Check the network, DNS and proxy of this host, `region` under [aws] (a region that does not exist has no "
"address), and AWS_ENDPOINT_URL if it is set. {again}"),
    ),
    ("unreachable", "mackerel"): (
        "",
        lazy("Cannot connect to Mackerel."),
        lazy("Check the network, DNS and proxy of this host, and MACKEREL_APIBASE if it is set. {again}"),
    ),
    ("server_error", "aws"): (
        lazy("Error at AWS"),
        lazy("{source} returned a server error for {operation}."),
        lazy("{again} If it persists, see https://health.aws.amazon.com for the region or, if AWS_ENDPOINT_URL is set, "
"what that server supports."),
    ),
    ("server_error", "mackerel"): (
        lazy("Error at Mackerel"),
        lazy("Mackerel returned a server error."),
        lazy("{again} If it persists, see https://status.mackerel.io."),
    ),
    ("bad_request", "aws"): (
        "",
        "",
        lazy("Compare {key}, and AWS_ENDPOINT_URL if it is set, with the quoted message. If they are correct, this is a "
"bug: please report it with that message."),
    ),
    ("bad_reply", "aws"): (
        "",
        "",
        lazy("{again} If it persists, look for a proxy or an AWS_ENDPOINT_URL that responds in its place, and report the "
"quoted message."),
    ),
    ("no_such_metric", "mackerel"): (
        lazy("Never posted"),
        lazy("Mackerel has never received {about}."),
        lazy("No action needed if it is new: data starts with the first requests. Otherwise check `alb_host` under "
"[mackerel], and that Mackerel's AWS integration collects this load balancer's metrics per target group."),
    ),
    ("clock_skew", "aws"): ("", lazy("This host's clock is {skew} that of AWS, which rejects signatures that are 5 minutes off."), ""),
}  # fmt: skip
SPECIAL_TEXTS: dict[str, Texts] = {
    "poll_failed": (
        lazy("Internal error"),
        lazy("Polling {source} raised an exception in this program."),
        lazy("Retrying automatically. The traceback is in the log: please report it."),
    ),
    "no_such_host": (
        lazy("No such load balancer in Mackerel"),
        lazy("No host in Mackerel has metrics of these target groups. Found: {hosts}."),
        lazy("Have Mackerel's AWS integration collect the load balancer's metrics per target group, or set its host ID as "
"`alb_host` under [mackerel]."),
    ),
    "no_such_service": (
        lazy("No such service in Mackerel"),
        lazy("The key's organization “{organization}” has no service “{service}”."),
        lazy("Correct `service` under [mackerel] or [batches], or set MACKEREL_APIKEY to another organization's key."),
    ),
    "no_such_rule": (
        lazy("No such rule"),
        lazy("EventBridge has no rule or schedule “{name}” in this account and region."),
        lazy("Correct `rule` or `scheduler` under [[batches.jobs]], or omit it: a pause is then not detected."),
    ),
    "too_costly": (
        lazy("Cost limit exceeded"),
        lazy("Athena would scan {size} (about {cost}). The limit is {ceiling}, so the query was not started."),
        lazy("Query fewer days, or raise `max_usd` under [access_logs.athena]."),
    ),
    "not_over": (
        lazy("Day incomplete"),
        lazy("Athena processes whole days (UTC) from 30 minutes after their end. Not yet available: {days}."),
        lazy("Retry then, or process that day's files without `--engine athena`."),
    ),
    "counted": (
        lazy("Already processed by files"),
        lazy("Too many files of {days} were processed one by one for a query to exclude them."),
        lazy("Process the rest of that day without `--engine athena`, and exclude that day here."),
    ),
    "no_output_location": (
        lazy("No result location"),
        lazy("Neither the configuration nor the workgroup has an S3 location for Athena's results."),
        lazy("Set `output` under [access_logs.athena], or a query result location in the workgroup."),
    ),
    "no_such_group": (
        lazy("Never reported"),
        lazy("CloudWatch has no datapoint of the target group {about} at this load balancer, in the last 454 days."),
        lazy("No action needed if it never had a target. Otherwise compare `target_groups`, `load_balancer` and `region` "
"in migration.toml with `aws elbv2 describe-target-groups`, and check that the credentials belong to the "
"load balancer's account (`aws sts get-caller-identity`)."),
    ),
    "idle_group": (
        lazy("Never reported"),
        lazy("{source} has datapoints of another target group of the fleet, but none of {about}."),
        lazy("No action needed if it is the idle group of a blue/green deployment. Otherwise check its name in "
"`target_groups`."),
    ),
    "no_invocation": (
        lazy("Never invoked"),
        lazy("CloudWatch has no invocation of the function of job {about}, in the last 454 days."),
        lazy("No action needed if the job has not run yet. Otherwise check `function` under [[batches.jobs]], `region` "
"under [aws], and that the credentials belong to the function's account."),
    ),
    "no_run_of_job": (
        lazy("Never posted"),
        lazy("No metric of job {about} was ever posted to the service “{service}”."),
        lazy("No action needed if the job has not run yet. Otherwise correct its `name` under [[batches.jobs]], or "
"`service` and the patterns under [batches]: together they make the metric's name."),
    ),
    "no_run": (
        lazy("No batch has reported"),
        lazy("No metric of the service “{service}” matches a pattern of [batches]: {patterns}."),
        lazy("No action needed if no job has run yet. Otherwise correct `service` or the patterns under [batches]."),
    ),
    "criterion_gone": (
        lazy("Metric of a criterion not found"),
        lazy("Mackerel has no such host, service, role or metric: {about}."),
        lazy("No action needed if it is new. If it was renamed or retired, correct the criterion's expression in migration.toml."),
    ),
    "criterion_renamed": (
        lazy("Metric of a criterion not found"),
        lazy("Mackerel has no value of this metric: {about}. The most similar name there now: `{detail}`."),
        lazy("If it was renamed, correct the criterion's expression in migration.toml."),
    ),
    "criterion_too_costly": (
        lazy("Expression too large"),
        lazy("The expression of “{about}” needs more requests than one poll may send: {detail}."),
        lazy("Use fewer metrics (a narrower wildcard) or a shorter duration in the expression."),
    ),
    "criterion_role_slots": (
        lazy("roleSlots() cannot be read"),
        lazy("No API of Mackerel returns the former hosts of a role: {about}."),
        lazy("Use role(), which reads the hosts that are in the role now."),
    ),
    "criterion_not_single": (
        lazy("No single series"),
        lazy("The expression of “{about}” does not give one series: {detail}."),
        lazy("Combine its series with sum(), avg() or max()."),
    ),
    "limited_load_balancers": (
        lazy("Not all load balancers were read"),
        lazy("The listener rules of {limit} load balancers were read, of {total} candidates."),
        lazy("If yours is not proposed, name it with `--load-balancer` (docs/init.md#limits)."),
    ),
    "limited_clusters": (
        lazy("Not all clusters were read"),
        lazy("The services of {limit} ECS clusters were read, of {total}."),
        lazy("If your service is not proposed, pass a file that names its cluster, with `--ecspresso` or `--tfstate` (docs/init.md#limits)."),
    ),
    "limited_rules": (
        lazy("Not all rules were read"),
        lazy("The targets of {limit} scheduled EventBridge rules were read, of {total}."),
        lazy("If a batch is missing, pass a state that has its rule, with `--tfstate`, or add it under [[batches.jobs]] (docs/init.md#limits)."),
    ),
    "limited_hosts": (
        lazy("Not all hosts were read"),
        lazy("The metric names of {limit} load balancers in Mackerel were read, of {total}."),
        lazy("If yours is not proposed, set its host ID as `alb_host` under [mackerel] (docs/init.md#limits)."),
    ),
    "limited_services": (
        lazy("Not all services were read"),
        lazy("The metric names of {limit} Mackerel services were read, of {total}."),
        lazy("If a batch is missing, add it under [[batches.jobs]] (docs/init.md#limits)."),
    ),
    "baseline_only": ("", lazy("No split: the baseline has all weight."), ""),
    "canary_only": ("", lazy("No split: the canary has all weight."), ""),
    "too_coarse": (
        lazy("Resolution too coarse"),
        lazy("From {since} on, Mackerel returned averages over {step} instead of minutes; they do not count as complete."),
        lazy("Retrying automatically. If it persists, the plan retains minutes for a shorter time."),
    ),
}  # fmt: skip
# By problem kind and operation; shown with the source's own words.
ACCESS_LOG_TEXTS: dict[tuple[ProblemKind, str], Texts] = {
    ("internal_error", "count"): (
        lazy("A file could not be processed"),
        lazy("{about} could not be processed; all other files were."),
        lazy("Check that it is an access log. It is retried next time."),
    ),
    ("not_found", "read"): (
        lazy("No such folder"),
        lazy("No file or folder {about}."),
        lazy("Correct `path` under [access_logs], or the value of `--logs`."),
    ),
    ("denied", "read"): (
        lazy("Logs cannot be read"),
        lazy("No read permission for {about}."),
        lazy("Grant this program's user read permission, subfolders included."),
    ),
    ("bad_reply", "read"): (
        lazy("Not a file"),
        lazy("{about} is a pipe, a socket, a device or a broken link, and was excluded; the other files are processed."),
        lazy("Remove it, or replace it with the file."),
    ),
    ("not_found", "s3:ListBucket"): (
        lazy("No such bucket"),
        lazy("Bucket {about} does not exist."),
        lazy("Correct `bucket` under [access_logs], or omit it: the current bucket is then read from the load balancer's "
"attributes."),
    ),
    ("not_found", "s3:GetObject"): (
        lazy("A log file was deleted"),
        lazy("Listed, but no longer there: {about}. Its lines are missing."),
        lazy("No action needed if a lifecycle rule of the bucket removes old logs: set `ingest` under [access_logs] to "
"process them earlier."),
    ),
    ("denied", "InvalidObjectState"): (
        lazy("A log file is archived"),
        lazy("A lifecycle rule moved it to an archive class of S3: {about}. Its lines are missing."),
        lazy("Restore it with `aws s3api restore-object`, if that time matters; it is then processed automatically."),
    ),
    ("denied", "s3:GetObject"): (
        lazy("Access to a log file denied"),
        lazy("AWS denied s3:GetObject for {about}. Its lines are missing; all other files were processed."),
        lazy("Allow `s3:GetObject` in the IAM policy (docs/access_logs.md), and check the bucket policy and the object's "
"owner. It is retried when that time is requested again."),
    ),
}  # fmt: skip
# Of states and stacks, by problem kind and operation.
INFRASTRUCTURE_TEXTS: dict[tuple[ProblemKind, str], Texts] = {
    ("not_found", "s3:GetObject"): (
        lazy("No such state"),
        lazy("S3 has no {about}."),
        lazy("Compare it with `bucket` and `key` of the `s3` backend; of another workspace than `default`, the key begins with `env:/WORKSPACE/`."),
    ),
    ("denied", "s3:GetObject"): (
        lazy("Access to the state denied"),
        lazy("AWS denied s3:GetObject for {about}. S3 answers the same for an object that does not exist, unless `s3:ListBucket` is allowed."),
        lazy("Allow `s3:GetObject` on that object, for `init` only ({page}), or run `terraform state pull > state.json` and pass that file."),
    ),
    ("denied", "kms:Decrypt"): (
        lazy("The state cannot be decrypted"),
        lazy("KMS did not decrypt {about} for these credentials."),
        lazy("Allow `kms:Decrypt` with the bucket's key, for `init` only ({page}), or run `terraform state pull > state.json` and pass that file."),
    ),
    ("not_found", "GET"): (
        lazy("No such state"),
        lazy("The server has no {about}, or the token may not read it."),
        lazy("Check organization, workspace and address. HCP Terraform answers the same for a token without access; a workspace has no state before its "
             "first apply."),
    ),
    ("denied", "GET"): (
        lazy("Access to the state denied"),
        lazy("The server denied access to {about}."),
        lazy("For HCP Terraform or Terraform Enterprise, set a token that may read state versions ({page}). Otherwise run `terraform state pull > "
             "state.json` and pass that file."),
    ),
    ("bad_reply", "GET"): (
        "",
        lazy("{about} did not answer with a state."),
        lazy("Check the address: a page that asks to sign in answers like this. Otherwise run `terraform state pull > state.json` and pass that file."),
    ),
    ("unreachable", "GET"): (
        "",
        lazy("Cannot connect to the server of {about}."),
        "",
    ),
    ("not_found", "cloudformation:ListStackResources"): (
        lazy("No such stack"),
        lazy("CloudFormation has no stack {about} in this account and region."),
        lazy("Correct its name, or pass its ARN; `aws cloudformation describe-stacks` lists them."),
    ),
    ("incomplete", "cloudformation:ListStackResources"): (
        lazy("Not all nested stacks were read"),
        lazy("{about} has more nested stacks than are read at once."),
        lazy("Pass the nested stack that has the load balancer."),
    ),
}  # fmt: skip
