"""Messages for issues in [notify], and example lines."""

from messages.i18n import lazy

EXAMPLES = {
    "notify.dashboard_url": 'dashboard_url = "https://dashboard.example.com"',
    "notify.language": 'language = "ja"',
    "notify.slack": 'slack = "SLACK_WEBHOOK_URL"',
    "notify.webhook": 'webhook = "NOTIFY_WEBHOOK_URL"',
    "notify.webhook_secret": 'webhook_secret = "NOTIFY_WEBHOOK_SECRET"',
    "notify.sns_topic": 'sns_topic = "arn:aws:sns:ap-northeast-1:123456789012:migration"',
    "notify.mackerel_key": 'mackerel_key = "MACKEREL_WRITE_APIKEY"',
    "notify.mackerel_service": 'mackerel_service = "photo"',
    "notify.mackerel_metrics": "mackerel_metrics = true",
    "notify.allow_private": "allow_private = true",
}
# ConfigIssueCode -> the issue, the fix
TEXTS = {
    "not_a_variable": (
        lazy("This is not the name of an environment variable."),
        lazy(
            "Put the secret into an environment variable, never into this file, and its name here: `SLACK_WEBHOOK_URL`."
        ),
    ),
    "not_a_dashboard_url": (
        lazy("“{given}” is not the address of the dashboard."),
        lazy("Use the URL at which its readers open it, without a query: `https://dashboard.example.com`."),
    ),
    "not_a_topic": (
        lazy("“{given}” is not the ARN of an SNS topic."),
        lazy("`aws sns list-topics` lists them."),
    ),
    "no_channel": (
        lazy("[notify] has no channel."),
        lazy("Set `slack`, `webhook`, `sns_topic` or `mackerel_key`, or remove [notify]."),
    ),
    "webhook_without_secret": (
        lazy("A webhook needs an address and a secret to sign with."),
        lazy("Set both `webhook` and `webhook_secret`, each to the name of an environment variable."),
    ),
    "metrics_without_key": (
        lazy("Service metrics cannot be posted to Mackerel without a key."),
        lazy("Set `mackerel_key` to the name of the variable with a key that has Write permission."),
    ),
    "sns_without_aws": (
        lazy("SNS needs [aws]: its profile has the credentials."),
        lazy("Add [aws] with `region` and `load_balancer`, or remove this line."),
    ),
    "no_annotated_service": (
        lazy("It is not known which Mackerel service to annotate."),
        lazy("Set it here, or `service` under [mackerel]."),
    ),
}
