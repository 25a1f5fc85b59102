"""Commands that end a job's runs by one scheduler. The program only prints them."""

import re
import shlex

from domain.triggers import Trigger

# What UpdateSchedule does not accept of a response of GetSchedule.
_READ_ONLY_KEYS = ".Arn, .CreationDate, .LastModificationDate"


def comment_out_cron(job: str) -> str:
    """The command that comments out the lines of a crontab that name the job."""
    script = rf"/\b{re.escape(job)}\b/s/^[^#]/#&/"
    return f"crontab -l | sed {shlex.quote(script)} | crontab -"


def disable_trigger(trigger: Trigger, region: str) -> str:
    """The command that disables a rule or a schedule.

    UpdateSchedule replaces the whole schedule and resets what a request does not have, so the command repeats all that GetSchedule returns.
    """
    options = f"--region {shlex.quote(region)} " if region else ""
    if trigger.kind == "rule":
        return f"aws events disable-rule {options}--name {shlex.quote(trigger.name)}"
    group, _, name = trigger.name.rpartition("/")
    file = f"{re.sub('[^A-Za-z0-9._-]', '-', name)}.json"
    edit = f'del({_READ_ONLY_KEYS}) | .State = "DISABLED"'
    return (
        f"aws scheduler get-schedule {options}--group-name {shlex.quote(group or 'default')} --name {shlex.quote(name)} \\\n"
        f"  | jq {shlex.quote(edit)} > {file} \\\n"
        f"  && aws scheduler update-schedule {options}--cli-input-json file://{file}"
    )
