"""Messages for issues in [batches], and example lines."""

from messages.i18n import lazy

EXAMPLES = {
    "batches.service": 'service = "photo"',
    "batches.duration": 'duration = "batch.{job}.duration"',
    "batches.success": 'success = "batch.{job}.success"',
    "batches.failure": 'failure = "batch.{job}.failure"',
    "batches.unit": 'unit = "s"',
    "batches.cron_duration": 'cron_duration = "cron.{job}.duration"',
    "batches.cron_success": 'cron_success = "cron.{job}.success"',
    "batches.cron_failure": 'cron_failure = "cron.{job}.failure"',
    "batches.cron_unit": 'cron_unit = "s"',
    "batches.timestamp": 'timestamp = "end"',
    "batches.jobs.name": 'name = "thumbnails"',
    "batches.jobs.schedule": 'schedule = "cron(0 18 ? * MON-FRI *)"',
    "batches.jobs.timezone": 'timezone = "Asia/Tokyo"',
    "batches.jobs.rule": 'rule = "photo-thumbnails"',
    "batches.jobs.scheduler": 'scheduler = "default/photo-thumbnails"',
    "batches.jobs.function": 'function = "photo-thumbnails"',
    "batches.jobs.grace_minutes": "grace_minutes = 10",
}
# ConfigIssueCode -> the issue, the fix
TEXTS = {
    "no_batch_service": (lazy("It is not said which Mackerel service the batches report to."), lazy('Write `service = "photo"` here or under [mackerel].')),
    "no_pattern": (
        lazy("It names no metric, so no run can be seen."),
        lazy('Write at least `duration = "batch.{{job}}.duration"` or `success = "batch.{{job}}.success"`.'),
    ),
    "not_a_pattern": (
        lazy("“{given}” is no pattern of a metric's name: it needs `{{job}}` once, and letters, digits, `.`, `_` and `-`."),
        lazy("Write where the job's name stands, for example \"batch.{{job}}.duration\"."),
    ),
    "pattern_twice": (
        lazy("“{given}” stands for two things, so a value would be ambiguous."),
        lazy("Give each measure of each era its own pattern, or leave one out."),
    ),
    "not_a_job": (
        lazy("“{given}” cannot be part of a metric's name in Mackerel."),
        lazy("Write the job as its metrics spell it: letters, digits, `.`, `_` and `-`."),
    ),
    "job_twice": (lazy("There is a job “{given}” already."), lazy("Keep one [[batches.jobs]] for it.")),
    "rule_and_scheduler": (
        lazy("“{given}” has a rule and a schedule of EventBridge Scheduler, and would run twice."),
        lazy("Keep the one that starts it: `rule` or `scheduler`."),
    ),
    "rule_in_a_zone": (
        lazy("An EventBridge rule knows no time zone: its hours are UTC, not {given}."),
        lazy("Leave `timezone` out and write the schedule in UTC, or name a `scheduler` instead of a `rule`."),
    ),
    "not_a_schedule": (
        lazy("“{given}” is not a schedule as EventBridge writes it."),
        lazy("Write `cron(0 18 ? * MON-FRI *)` or `rate(5 minutes)`. A line of crontab needs `cron(…)` around it, one of its days as `?`, and a year."),
    ),
    "rate_of_nothing": (lazy("“{given}” would never be over: the number must be 1 or more."), lazy("Write for example `rate(5 minutes)`.")),
    "rate_unit": (
        lazy("“{given}” is refused by EventBridge: 1 is followed by minute, hour or day, every other number by minutes, hours or days."),
        lazy("Write `{right}`."),
    ),
    "cron_fields": (
        lazy("“{given}” has {found} fields, and EventBridge wants six: minutes, hours, day of month, month, day of week, year."),
        lazy("Write for example `cron(0 18 ? * MON-FRI *)`; the year is `*` as a rule."),
    ),
    "cron_days": (
        lazy("“{given}” must have `?` as its day of the month or as its day of the week, and not as both."),
        lazy("Write `?` for the one that does not matter: `cron(0 18 ? * MON-FRI *)`, `cron(0 18 1 * ? *)`."),
    ),
    "cron_field": (
        lazy("“{given}” is not right as the field “{field}”, which goes from {low} to {high}."),
        lazy("Write numbers, `*`, lists (1,15), ranges (1-5) and steps (0/10). Sunday is day 1 of the week; `L`, `W` and `#` stand alone."),
    ),
}  # fmt: skip
