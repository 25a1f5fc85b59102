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
    "batches.log.sql": 'sql = "$.statements[*].sql"',
    "batches.log.rows": 'rows = "$.statements[*].rows"',
    "batches.log.seconds": 'seconds = "$.statements[*].seconds"',
    "batches.log.success": 'success = "$.success"',
    "batches.log.event_id": 'event_id = "$.event.id"',
    "batches.log.job": 'job = "$.job"',
    "batches.log.cron_group": 'cron_group = "/photo/cron/{job}"',
    "batches.log.filter": 'filter = "rows"',
    "batches.log.max_calls": "max_calls = 20",
    "batches.log.max_mb": "max_mb = 4",
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
    "no_batch_service": (lazy("No Mackerel service configured for batches."), lazy('Set `service = "photo"` here or under [mackerel].')),
    "no_pattern": (
        lazy("No metric configured, so no run can be detected."),
        lazy('Set at least `duration = "batch.{{job}}.duration"` or `success = "batch.{{job}}.success"`.'),
    ),
    "not_a_pattern": (
        lazy("“{given}” is not a metric name pattern: it needs `{{job}}` once, and only letters, digits, `.`, `_` and `-`."),
        lazy("Put `{{job}}` in place of the job's name, for example \"batch.{{job}}.duration\"."),
    ),
    "no_json_path": (
        lazy("No path configured, so nothing in the logs is read."),
        lazy('Set at least one of `sql`, `rows`, `seconds` and `success`, for example `rows = "$.rows"`.'),
    ),
    "not_a_json_path": (
        lazy("“{given}” is not a path in JSON: names with `.` between them, `[0]` and `[*]`."),
        lazy('Example: "$.statements[*].rows".'),
    ),
    "not_a_log_group": (
        lazy("“{given}” is not the name of a log group."),
        lazy("Use letters, digits and `_ - / . #`, and `{{job}}` in place of the job's name."),
    ),
    "shared_log_group": (
        lazy("All jobs share the log group “{given}”, so its lines cannot be assigned to jobs."),
        lazy('Set `job`, the path to the job\'s name in a line, or put `{{job}}` into the group\'s name.'),
    ),
    "pattern_twice": (
        lazy("“{given}” is used twice, so its values would be ambiguous."),
        lazy("Use a separate pattern per scheduler and measure, or remove one."),
    ),
    "not_a_job": (
        lazy("“{given}” is not valid in a Mackerel metric name."),
        lazy("Use the name as in its metrics: letters, digits, `.`, `_` and `-`."),
    ),
    "job_twice": (lazy("Duplicate job “{given}”."), lazy("Keep one [[batches.jobs]] for it.")),
    "rule_and_scheduler": (
        lazy("“{given}” has both an EventBridge rule and a schedule of EventBridge Scheduler, and would run twice."),
        lazy("Keep the one that starts it: `rule` or `scheduler`."),
    ),
    "rule_in_a_zone": (
        lazy("EventBridge rules have no time zone: hours are UTC, not {given}."),
        lazy("Omit `timezone` and use UTC, or set `scheduler` instead of `rule`."),
    ),
    "not_a_schedule": (
        lazy("“{given}” is not an EventBridge schedule expression."),
        lazy("Use `cron(0 18 ? * MON-FRI *)` or `rate(5 minutes)`. A crontab line needs `cron(…)` around it, `?` for one "
"of its day fields, and a year."),
    ),
    "rate_of_nothing": (lazy("“{given}”: the number must be at least 1."), lazy("Example: `rate(5 minutes)`.")),
    "rate_unit": (
        lazy("EventBridge rejects “{given}”: 1 takes minute, hour or day; other numbers take minutes, hours or days."),
        lazy("Use `{right}`."),
    ),
    "cron_fields": (
        lazy("“{given}” has {found} fields; EventBridge requires six: minutes, hours, day of month, month, day of week, "
"year."),
        lazy("Example: `cron(0 18 ? * MON-FRI *)`; the year is usually `*`."),
    ),
    "cron_days": (
        lazy("“{given}” needs `?` as day of the month or day of the week, not both."),
        lazy("Use `?` for the unused one: `cron(0 18 ? * MON-FRI *)`, `cron(0 18 1 * ? *)`."),
    ),
    "cron_field": (
        lazy("“{given}” is not valid for “{field}” ({low} to {high})."),
        lazy("Use numbers, `*`, lists (1,15), ranges (1-5) and steps (0/10). Sunday is day 1; `L`, `W` and `#` cannot be "
"combined."),
    ),
}  # fmt: skip
