"""Invalid configurations, each with the issue that is reported for it."""

from datetime import date, datetime
from typing import Any

from tests.factories.config import ALB, BLUE, EC2, ELB_ARN_PREFIX, RULE

# The key that is changed in CONFIG_TOML, its value (None: removed); the issue's key, code and some of its params.
InvalidConfig = tuple[str, Any, str, str, dict[str, str]]

OTHER_REGION = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/photo-ecs/0f1e2d3c4b5a6978"
OTHER_ACCOUNT = "arn:aws:elasticloadbalancing:ap-northeast-1:210987654321:targetgroup/photo-ecs/0f1e2d3c4b5a6978"
OTHER_RULE = f"{ELB_ARN_PREFIX}:listener-rule/app/other/aaaaaaaaaaaaaaaa/f2f7dc8efc522ab2/9683b2d02a6cabee"
NLB = f"{ELB_ARN_PREFIX}:loadbalancer/net/photo/50dc6c495c0c9188"

BATCHES_TABLE: dict[str, Any] = {
    "duration": "batch.{job}.duration",
    "success": "batch.{job}.success",
    "cron_duration": "cron.{job}.msec",
    "cron_unit": "ms",
    "jobs": [
        {"name": "thumbnails", "schedule": "cron(0  18 ? * mon-fri *)", "rule": "photo-thumbnails"},
        {"name": "digest", "schedule": "rate(1 hour)", "timezone": "Asia/Tokyo", "scheduler": "digest"},
    ],
}


def batches_table(**changes: Any) -> dict[str, Any]:
    return BATCHES_TABLE | changes


def job_table(**keys: Any) -> dict[str, Any]:
    return batches_table(jobs=[{"name": "thumbnails"} | keys])


CPU: dict[str, Any] = {"namespace": "AWS/ECS", "name": "CPUUtilization", "dimensions": {"ClusterName": "photo"}}
COUNT = CPU | {"statistic": "Sum"}
RATE: dict[str, Any] = {"math": "a / b", "metrics": {"a": COUNT, "b": COUNT}}


def own_table(**keys: Any) -> dict[str, Any]:
    """A criterion of one's own; None removes a key."""
    table = {
        "name": "uploads",
        "source": "mackerel",
        "baseline": "service(photo, upload.ec2)",
        "canary": "service(photo, upload.ecs)",
        "margin": 5,
    }
    return {key: value for key, value in (table | keys).items() if value is not None}


def notify_table(**keys: Any) -> dict[str, Any]:
    """With Slack; None removes a key."""
    table = {"dashboard_url": "https://dashboard.example.com", "slack": "SLACK_WEBHOOK_URL"} | keys
    return {key: value for key, value in table.items() if value is not None}


NOT_DASHBOARDS = (
    "dashboard.example.com",
    "ftp://a.example.com",
    "https://",
    "https://a.example.com/?x=1",
    "https://a b",
    "http://[::1",
    "https://a:99999",
    "https://a.example.com/>",
    f"https://a/{'x' * 500}",
)
CONFIG_ISSUES: list[InvalidConfig] = [
    ("notify", {"slack": "A"}, "notify.dashboard_url", "missing", {}),
    ("notify", notify_table(slack="https://hooks.slack.com/services/T/B/x"), "notify.slack", "not_a_variable", {}),
    ("notify", notify_table(slack="A-B"), "notify.slack", "not_a_variable", {}),
    ("notify", notify_table(webhook_secret="a secret", webhook="W"), "notify.webhook_secret", "not_a_variable", {}),
    ("notify", notify_table(mackerel_key="1key"), "notify.mackerel_key", "not_a_variable", {}),
    *(
        ("notify", notify_table(dashboard_url=url), "notify.dashboard_url", "not_a_dashboard_url", {"given": url})
        for url in NOT_DASHBOARDS
    ),
    ("notify", notify_table(dashboard_url="https://u@a"), "notify.dashboard_url", "not_a_dashboard_url", {}),
    ("notify", notify_table(sns_topic="arn:aws:sqs:x:123456789012:q"), "notify.sns_topic", "not_a_topic", {}),
    ("notify", notify_table(language="fr"), "notify.language", "not_a_choice", {}),
    ("notify", notify_table(slack=None), "notify.slack", "no_channel", {}),
    ("notify", notify_table(webhook="W"), "notify.webhook_secret", "webhook_without_secret", {}),
    ("notify", notify_table(webhook_secret="S"), "notify.webhook_secret", "webhook_without_secret", {}),
    ("notify", notify_table(mackerel_metrics=True), "notify.mackerel_key", "metrics_without_key", {}),
    ("migration.timezon", "Asia/Tokyo", "migration.timezon", "unknown_key", {"close": "timezone"}),
    ("migration.demo", True, "migration.demo", "unknown_key", {"close": ""}),
    ("migration.aws", {"region": "x"}, "migration.aws", "outside_its_table", {"table": "aws"}),
    ("timezone", "UTC", "timezone", "outside_its_table", {"table": "migration"}),
    ("mackrel", {"service": "photo"}, "mackrel", "unknown_key", {"close": "mackerel"}),
    ("xyz", 1, "xyz", "unknown_key", {"close": ""}),
    ("aws.regoin", "us-east-1", "aws.regoin", "unknown_key", {"close": "region"}),
    ("fleets.canari", {}, "fleets.canari", "unknown_key", {"close": "canary"}),
    ("fleets.canary.target_group", [], "fleets.canary.target_group", "unknown_key", {"close": "target_groups"}),
    ("mackerel.albhost", "x", "mackerel.albhost", "unknown_key", {"close": "alb_host"}),
    ("criteria.0.margn", "1pp", "criteria.0.margn", "unknown_key", {"close": "margin"}),
    ("migration", None, "migration.name", "missing", {}),
    ("migration.name", None, "migration.name", "missing", {}),
    ("fleets", None, "fleets", "missing", {}),
    ("fleets.canary", None, "fleets.canary", "missing", {}),
    ("fleets.baseline.label", None, "fleets.baseline.label", "missing", {}),
    ("aws.load_balancer", None, "aws.load_balancer", "missing", {}),
    ("criteria.1.margin", None, "criteria.1.margin", "missing", {}),
    ("migration.name", " ", "migration.name", "empty", {}),
    ("fleets.canary.label", "", "fleets.canary.label", "empty", {}),
    ("fleets.canary.target_groups", [], "fleets.canary.target_groups", "empty", {}),
    ("migration.slow_thresholds_s", [], "migration.slow_thresholds_s", "empty", {}),
    ("migration", [{"name": "Photo"}], "migration", "wrong_type", {"kind": "table"}),
    ("migration.name", 3, "migration.name", "wrong_type", {"kind": "text", "given": "3"}),
    ("migration.settle_minutes", "soon", "migration.settle_minutes", "wrong_type", {"kind": "whole number"}),
    ("migration.settle_minutes", 1.5, "migration.settle_minutes", "wrong_type", {"kind": "whole number"}),
    ("migration.slow_thresholds_s", 0.3, "migration.slow_thresholds_s", "wrong_type", {"kind": "list"}),
    ("migration.slow_thresholds_s", ["fast"], "migration.slow_thresholds_s.0", "wrong_type", {"kind": "number"}),
    ("aws", "ap-northeast-1", "aws", "wrong_type", {"kind": "table"}),
    ("fleets.canary.target_groups", BLUE, "fleets.canary.target_groups", "wrong_type", {"kind": "list"}),
    ("criteria", {"metric": "error_rate"}, "criteria", "wrong_type", {"kind": "list"}),
    ("criteria.0.critical", "very", "criteria.0.critical", "wrong_type", {"kind": "yes or no"}),
    ("criteria.0.better", "faster", "criteria.0.better", "not_a_choice", {"choices": "'lower', 'higher' or 'equal'"}),
    ("migration.settle_minutes", 0, "migration.settle_minutes", "out_of_range", {"bound": "ge", "limit": "1"}),
    ("migration.provisional_minutes", 61, "migration.provisional_minutes", "out_of_range", {"limit": "60"}),
    ("migration.slow_thresholds_s", [0], "migration.slow_thresholds_s.0", "out_of_range", {"bound": "ge", "limit": "0.000001"}),
    ("migration.slow_thresholds_s", [float("nan")], "migration.slow_thresholds_s.0", "out_of_range", {}),
    ("migration.provisional_minutes", 16, "migration.provisional_minutes", "provisional_beyond_settled", {"settled": "15"}),
    ("migration.since", "1 September", "migration.since", "not_a_day", {"given": "1 September"}),
    ("migration.since", datetime(2026, 9, 1, 12), "migration.since", "not_a_day", {}),
    ("migration.since", date(1, 1, 1), "migration.since", "not_a_day", {}),
    ("migration.since", "9999-12-31", "migration.since", "not_a_day", {"given": "9999-12-31"}),
    ("migration.since", 20260901, "migration.since", "not_a_day", {}),
    ("migration.warm_up", "soon", "migration.warm_up", "not_a_warm_up", {"given": "soon"}),
    ("migration.warm_up", "25h", "migration.warm_up", "not_a_warm_up", {"given": "25h"}),
    ("migration.warm_up", 10, "migration.warm_up", "wrong_type", {"kind": "text"}),
    ("migration.keep", "62d", "migration.keep", "not_a_retention", {"given": "62d"}),
    ("migration.keep", "13 months", "migration.keep", "not_a_retention", {"given": "13 months"}),
    ("migration.keep_rollups", "400d", "migration.keep_rollups", "rollups_before_points", {"given": "400d"}),
    ("migration.slo", "99.9%", "migration.slo", "not_an_slo", {"given": "99.9%"}),
    ("migration.slo", "100% over 30d", "migration.slo", "not_an_slo", {}),
    ("migration.slo", "0% over 30d", "migration.slo", "not_an_slo", {}),
    ("migration.slo", "99.9% over 91d", "migration.slo", "not_an_slo", {}),
    ("migration.slo", "99.9% over 0d", "migration.slo", "not_an_slo", {}),
    ("migration.slo", 99.9, "migration.slo", "not_an_slo", {"given": "99.9"}),
    ("migration.timezone", "Asia/Tokio", "migration.timezone", "unknown_timezone", {"close": "Asia/Tokyo"}),
    ("migration.timezone", "tokyo", "migration.timezone", "unknown_timezone", {"close": "Asia/Tokyo"}),
    ("migration.timezone", "New York", "migration.timezone", "unknown_timezone", {"close": "America/New_York"}),
    ("migration.timezone", "JST", "migration.timezone", "unknown_timezone", {"close": ""}),
    ("migration.archive", "archive.db", "migration.archive", "not_an_archive", {"given": "archive.db"}),
    ("migration.archive", "mysql://reader@db/m", "migration.archive", "not_an_archive", {}),
    ("migration.archive", "postgresql://me:secret@db/m", "migration.archive", "archive_driver", {"given": "postgresql"}),
    (
        "migration.archive",
        "postgresql+psycopg://me:secret@db",
        "migration.archive",
        "archive_without_database",
        {"given": "postgresql+psycopg://db"},
    ),
    ("migration.archive", "sqlite://", "migration.archive", "archive_without_file", {}),
    ("migration.archive", "sqlite:///:memory:", "migration.archive", "archive_without_file", {}),
    ("aws.region", "Tokyo", "aws.region", "not_a_region", {"given": "Tokyo"}),
    ("aws.region", "us-east-1", "aws.region", "another_region", {"given": "us-east-1", "found": "ap-northeast-1"}),
    ("aws.load_balancer", "photo", "aws.load_balancer", "not_an_arn", {"kind": "load balancer", "given": "photo"}),
    ("aws.load_balancer", NLB, "aws.load_balancer", "not_an_arn", {"kind": "load balancer"}),
    ("aws.load_balancer", ALB[:-1], "aws.load_balancer", "truncated_arn", {"missing": "load_balancer_id", "in_part": "true"}),
    ("aws.rule", ALB.replace(":loadbalancer/", ":listener-rule/"), "aws.rule", "truncated_arn", {"missing": "listener_id,rule_id"}),
    ("fleets.canary.target_groups.0", EC2[:60], "fleets.canary.target_groups", "truncated_arn", {"found": "target group"}),
    ("fleets.canary.ecs_service", "arn:aws:ecs:ap-northeast-1:123456789012:service/web", "fleets.canary.ecs_service", "not_a_pair", {}),
    ("aws.load_balancer", EC2, "aws.load_balancer", "arn_of_another_kind", {"found": "target group"}),
    ("aws.rule", ALB, "aws.rule", "arn_of_another_kind", {"kind": "listener rule", "found": "load balancer"}),
    ("aws.rule", OTHER_RULE, "aws.rule", "rule_of_another_load_balancer", {"load_balancer": "app/photo/50dc6c495c0c9188"}),
    ("fleets.canary.target_groups.1", RULE, "fleets.canary.target_groups", "arn_of_another_kind", {"kind": "target group"}),
    ("fleets.canary.target_groups.0", "photo_ecs", "fleets.canary.target_groups", "not_an_arn", {"kind": "target group"}),
    ("fleets.canary.target_groups.1", "photo-ecs", "fleets.canary.target_groups.1", "arn_needed", {"given": "photo-ecs"}),
    (
        "fleets.canary.target_groups.1",
        OTHER_REGION,
        "fleets.canary.target_groups.1",
        "group_of_another_load_balancer",
        {"found": "us-east-1, 123456789012", "home": "ap-northeast-1, 123456789012"},
    ),
    (
        "fleets.baseline.target_groups.0",
        OTHER_ACCOUNT,
        "fleets.baseline.target_groups.0",
        "group_of_another_load_balancer",
        {"found": "ap-northeast-1, 210987654321"},
    ),
    ("fleets.canary.target_groups.1", BLUE, "fleets.canary.target_groups", "group_twice", {"given": BLUE}),
    ("fleets.canary.target_groups.1", EC2, "fleets", "group_on_both_sides", {"given": "photo-ec2"}),
    ("fleets.canary.label", "EC2", "fleets.canary.label", "same_label", {"given": "EC2"}),
    ("fleets.canary.ecs_service", "web", "fleets.canary.ecs_service", "not_a_pair", {"given": "web"}),
    ("fleets.canary.codedeploy", "a/b/c", "fleets.canary.codedeploy", "not_a_pair", {}),
    ("criteria.0.metric", "eror_rate", "criteria.0.metric", "unknown_metric", {"close": "error_rate"}),
    ("criteria.1.metric", "error_rate", "criteria.1.metric", "metric_twice", {"given": "error_rate"}),
    ("criteria.0.metric", "slow_2s", "criteria.0.metric", "threshold_not_asked", {"threshold": "2"}),
    ("criteria.0.margin", "0.05", "criteria.0.margin", "margin_without_unit", {"given": "0.05"}),
    ("criteria.0.margin", 0.05, "criteria.0.margin", "margin_without_unit", {"given": "0.05"}),
    ("criteria.0.margin", "-1pp", "criteria.0.margin", "margin_without_unit", {"given": "-1pp"}),
    ("criteria.0.margin", "0pp", "criteria.0.margin", "margin_of_nothing", {"given": "0pp"}),
    ("criteria.0.margin", "20ms", "criteria.0.margin", "margin_of_another_unit", {"fits": "pp / %"}),
    ("criteria.1.margin", "1pp", "criteria.1.margin", "margin_of_another_unit", {"fits": "ms / %"}),
    ("criteria.0", {"margin": "1pp"}, "criteria.0.name", "name_or_metric", {}),
    ("criteria.0", {"name": "x", "metric": "error_rate", "margin": "1pp"}, "criteria.0.name", "name_or_metric", {}),
    ("criteria.0", own_table(name='"x"'), "criteria.0.name", "not_a_name", {"given": '"x"'}),
    ("criteria.0", own_table(name="latency_p50"), "criteria.0.name", "name_of_a_metric", {"given": "latency_p50"}),
    ("criteria.0", own_table(name="slow_1s"), "criteria.0.name", "name_of_a_metric", {"given": "slow_1s"}),
    ("criteria.0.source", "mackerel", "criteria.0.metric", "query_of_a_metric", {"metric": "error_rate"}),
    ("criteria.0", own_table(canary=None), "criteria.0.baseline", "criterion_without_query", {"given": "uploads"}),
    ("criteria.0", own_table(source="datadog"), "criteria.0.source", "not_a_choice", {"given": "'datadog'"}),
    ("criteria.0", own_table(source="cloudwatch"), "criteria.0.baseline", "query_of_another_source", {"given": "cloudwatch"}),
    ("criteria.0", own_table(baseline={}), "criteria.0.baseline", "not_a_query", {}),
    ("criteria.0", own_table(baseline={"math": "A", "metrics": {"A": CPU}}), "criteria.0.baseline", "not_a_math_id", {"limit": "10"}),
    ("criteria.0", own_table(baseline=CPU | {"statistic": "P95"}), "criteria.0.baseline.statistic", "not_a_statistic", {"given": "P95"}),
    ("criteria.0", own_table(baseline=CPU | {"statistik": "Sum"}), "criteria.0.baseline.statistik", "unknown_key", {"close": "statistic"}),
    (
        "criteria.0",
        own_table(source="cloudwatch", baseline=CPU, canary=CPU, kind="rate", margin="1pp"),
        "criteria.0.baseline",
        "not_a_quotient",
        {"given": "uploads"},
    ),
    (
        "criteria.0",
        own_table(source="cloudwatch", baseline=RATE, canary=RATE | {"metrics": {"a": COUNT, "b": CPU}}, kind="rate", margin="1pp"),
        "criteria.0.baseline",
        "not_counts",
        {"given": "Average"},
    ),
    ("criteria.0", own_table(margin="1pp"), "criteria.0.margin", "margin_of_a_value", {"given": "1 pp", "metric": "uploads"}),
    ("criteria.0", own_table(kind="rate", margin="5ms"), "criteria.0.margin", "margin_of_another_unit", {"fits": "pp / %"}),
    ("criteria", [own_table(), own_table()], "criteria.1.name", "metric_twice", {"given": "uploads"}),
    ("criteria", [own_table(name=f"own {n}") for n in range(21)], "criteria", "too_many_criteria", {"given": "21", "limit": "20"}),
    ("criteria.1.max_ratio", 3, "criteria.1.max_ratio", "ratio_without_points", {"given": "10%"}),
]  # fmt: skip

BATCH_ISSUES: list[InvalidConfig] = [
    ("batches", batches_table(duratoin="x"), "batches.duratoin", "unknown_key", {"close": "duration"}),
    ("batches", batches_table(stamped="start"), "batches.stamped", "renamed_key", {"new": "timestamp"}),
    ("batches", job_table(shedule="rate(1 day)"), "batches.jobs.0.shedule", "unknown_key", {"close": "schedule"}),
    ("batches", batches_table(jobs=[{}]), "batches.jobs.0.name", "missing", {}),
    ("batches", batches_table(jobs="thumbnails"), "batches.jobs", "wrong_type", {"kind": "list"}),
    ("batches", batches_table(unit="h"), "batches.unit", "not_a_choice", {}),
    ("batches", job_table(grace_minutes=0), "batches.jobs.0.grace_minutes", "out_of_range", {"limit": "1"}),
    ("batches", {}, "batches", "no_pattern", {}),
    ("batches", batches_table(log={}), "batches.log", "no_json_path", {}),
    ("batches", batches_table(log={"sql": "$..a"}), "batches.log.sql", "not_a_json_path", {"given": "$..a"}),
    ("batches", batches_table(log={"rows": "$[a]"}), "batches.log.rows", "not_a_json_path", {}),
    ("batches", batches_table(log={"sql": "a", "cron_group": "a b"}), "batches.log.cron_group", "not_a_log_group", {}),
    (
        "batches",
        batches_table(log={"sql": "a", "cron_group": "/a"}),
        "batches.log",
        "shared_log_group",
        {"given": "/a"},
    ),
    ("batches", batches_table(log={"sql": "a", "max_mb": 0}), "batches.log.max_mb", "out_of_range", {"limit": "1"}),
    (
        "batches",
        batches_table(duration="batch.duration"),
        "batches.duration",
        "not_a_pattern",
        {"given": "batch.duration"},
    ),
    ("batches", batches_table(duration="b.{job}.{job}"), "batches.duration", "not_a_pattern", {}),
    ("batches", batches_table(duration="b/{job}"), "batches.duration", "not_a_pattern", {}),
    (
        "batches",
        batches_table(success="batch.{job}.duration"),
        "batches",
        "pattern_twice",
        {"given": "batch.{job}.duration"},
    ),
    ("batches", job_table(name="a b"), "batches.jobs.0.name", "not_a_job", {"given": "a b"}),
    ("batches", batches_table(jobs=[{"name": "a"}, {"name": "a"}]), "batches.jobs.1.name", "job_twice", {"given": "a"}),
    ("batches", job_table(rule="a", scheduler="b"), "batches.jobs.0", "rule_and_scheduler", {}),
    (
        "batches",
        job_table(rule="a", timezone="Asia/Tokyo"),
        "batches.jobs.0.timezone",
        "rule_in_a_zone",
        {"given": "Asia/Tokyo"},
    ),
    ("batches", job_table(timezone="Tokyo"), "batches.jobs.0.timezone", "unknown_timezone", {"close": "Asia/Tokyo"}),
    (
        "batches",
        job_table(schedule="0 18 * * 1-5"),
        "batches.jobs.0.schedule",
        "not_a_schedule",
        {"given": "0 18 * * 1-5"},
    ),
    ("batches", job_table(schedule="rate(0 minutes)"), "batches.jobs.0.schedule", "rate_of_nothing", {}),
    (
        "batches",
        job_table(schedule="rate(1 minutes)"),
        "batches.jobs.0.schedule",
        "rate_unit",
        {"right": "rate(1 minute)"},
    ),
    ("batches", job_table(schedule="cron(0 18 * * MON)"), "batches.jobs.0.schedule", "cron_fields", {"found": "5"}),
    ("batches", job_table(schedule="cron(0 18 * * MON *)"), "batches.jobs.0.schedule", "cron_days", {}),
    (
        "batches",
        job_table(schedule="cron(0 24 * * ? *)"),
        "batches.jobs.0.schedule",
        "cron_field",
        {"field": "hours", "high": "23"},
    ),
]

ACCESS_LOG_ISSUES: list[InvalidConfig] = [
    ("access_logs", {"pth": "logs"}, "access_logs.pth", "unknown_key", {"close": "path"}),
    ("access_logs", {"most_routes": 100}, "access_logs.most_routes", "renamed_key", {"new": "max_routes"}),
    ("access_logs", {"record": True}, "access_logs.record", "renamed_key", {"new": "ingest"}),
    ("access_logs", {"cache_gb": 0}, "access_logs.cache_gb", "out_of_range", {"limit": "1"}),
    ("access_logs", {"cache": ""}, "access_logs.cache", "empty", {}),
    ("access_logs", {"max_routes": 0}, "access_logs.max_routes", "out_of_range", {"limit": "1"}),
    ("access_logs", {"ingest": "always"}, "access_logs.ingest", "wrong_type", {"kind": "yes or no"}),
    ("access_logs", {"routes": "/a"}, "access_logs.routes", "wrong_type", {"kind": "list"}),
    ("access_logs", {"routes": ["photos/*"]}, "access_logs.routes", "not_a_route", {"given": "photos/*"}),
    ("access_logs", {"routes": ["/search?q=*"]}, "access_logs.routes", "not_a_route", {"given": "/search?q=*"}),
    ("access_logs", {"answers_differ": ["search"]}, "access_logs.answers_differ", "not_a_route", {"given": "search"}),
    (
        "access_logs",
        {"zones": {"10.0.10.0/33": "ap-northeast-1a"}},
        "access_logs.zones",
        "not_a_network",
        {"given": "10.0.10.0/33"},
    ),
    (
        "access_logs",
        {"zones": {"10.0.10.0/24": "Tokyo 1"}},
        "access_logs.zones.10.0.10.0/24",
        "not_a_zone",
        {"given": "Tokyo 1"},
    ),
    ("access_logs", {"routes": ["/a/*", "/a/*"]}, "access_logs.routes", "route_twice", {"given": "/a/*"}),
    (
        "access_logs",
        {"bucket": "s3://photo-logs/alb"},
        "access_logs.bucket",
        "not_a_bucket",
        {"given": "s3://photo-logs/alb"},
    ),
    (
        "access_logs",
        {"bucket": "photo-logs", "path": "logs"},
        "access_logs.bucket",
        "path_and_bucket",
        {"bucket": "photo-logs"},
    ),
    ("access_logs", {"athena": {"databse": "x"}}, "access_logs.athena.databse", "unknown_key", {"close": "database"}),
    (
        "access_logs",
        {"athena": {"database": "Photo Logs"}},
        "access_logs.athena.database",
        "not_a_database",
        {"given": "Photo Logs"},
    ),
    (
        "access_logs",
        {"athena": {"workgroup": "a/b"}},
        "access_logs.athena.workgroup",
        "not_a_workgroup",
        {"given": "a/b"},
    ),
    (
        "access_logs",
        {"athena": {"output": "results"}},
        "access_logs.athena.output",
        "not_an_output",
        {"given": "results"},
    ),
    (
        "access_logs",
        {"athena": {"output": "s3://A_/x"}},
        "access_logs.athena.output",
        "not_an_output",
        {"given": "s3://A_/x"},
    ),
    ("access_logs", {"athena": {"max_usd": 0}}, "access_logs.athena.max_usd", "out_of_range", {"limit": "0"}),
    ("access_logs", {"athena": True}, "access_logs.athena", "wrong_type", {"kind": "table"}),
    ("access_logs", {"athena": {}, "path": "logs"}, "access_logs.athena", "athena_and_path", {"given": "logs"}),
    ("access_logs", {"prefix": "alb"}, "access_logs.prefix", "prefix_without_bucket", {"given": "alb"}),
]

SERVER_ISSUES: list[InvalidConfig] = [
    *(
        ("server", {"allowed_hosts": ["localhost", host]}, "server.allowed_hosts.1", "not_a_host", {"given": host})
        for host in ("https://dashboard.example.com", "dashboard.example.com:443", "*.example.com", "a b", "10.0.0", "")
    ),
    ("server", {"allowed_hosts": "localhost"}, "server.allowed_hosts", "wrong_type", {"kind": "list"}),
    ("server", {"expose": ["health"]}, "server.expose.0", "not_a_choice", {"given": "'health'"}),
    ("server", {"protected": "by a proxy"}, "server.protected", "wrong_type", {"kind": "yes or no"}),
    *(
        ("server", {"author_header": name}, "server.author_header", "not_a_header", {"given": name})
        for name in ("X-Forwarded-User: me", "X_Forwarded_User", "a\r\nb")
    ),
    ("server", {"author_header": 1}, "server.author_header", "wrong_type", {"kind": "text"}),
    ("server", {"hosts": []}, "server.hosts", "unknown_key", {}),
    ("server", {"allow_hosts": []}, "server.allow_hosts", "unknown_key", {"close": "allowed_hosts"}),
    ("allowed_hosts", [], "allowed_hosts", "unknown_key", {}),
    ("server", True, "server", "wrong_type", {"kind": "table"}),
]


def sign_in_table(**changes: object) -> dict[str, object]:
    table: dict[str, object] = {
        "method": "oidc",
        "issuer": "https://id.example.com",
        "client_id": "dashboard",
        "dashboard_url": "https://dashboard.example.com",
        "viewers": ["*"],
    }
    return {key: value for key, value in (table | changes).items() if value is not None}


def _sign_in_issue(key: str, code: str, params: dict[str, str], **changes: object) -> InvalidConfig:
    return ("sign_in", sign_in_table(**changes), f"sign_in.{key}", code, params)


ALB_SIGN_IN = {"method": "alb", "viewers": ["*"]}
SIGN_IN_ISSUES: list[InvalidConfig] = [
    _sign_in_issue("method", "not_a_choice", {"given": "'saml'"}, method="saml"),
    _sign_in_issue("method", "missing", {}, method=None),
    _sign_in_issue("viewers", "no_members", {}, viewers=[]),
    _sign_in_issue("viewers.0", "not_a_member", {"given": ""}, viewers=[" "]),
    _sign_in_issue("editors.1", "not_a_member", {}, editors=["a", "b\0c"]),
    _sign_in_issue("groups_claim", "empty", {}, groups_claim=""),
    _sign_in_issue("session_hours", "out_of_range", {"limit": "1"}, session_hours=0),
    *(
        _sign_in_issue(key, "key_of_method", {"method": "oidc"}, **{key: None})
        for key in ("issuer", "client_id", "dashboard_url")
    ),
    ("sign_in", ALB_SIGN_IN, "sign_in.load_balancer", "key_of_method", {"method": "alb"}),
    ("sign_in", ALB_SIGN_IN | {"load_balancer": "front"}, "sign_in.load_balancer", "not_an_arn", {"given": "front"}),
    _sign_in_issue(
        "sign_out_url",
        "key_of_another_method",
        {"method": "oidc", "other": "alb"},
        sign_out_url="https://a.example.com",
    ),
    *(
        _sign_in_issue("issuer", "not_a_secure_url", {"given": url}, issuer=url)
        for url in (
            "http://id.example.com",
            "id.example.com",
            "https://",
            "https://id.example.com/?a",
            "https://id.example.com:x",
        )
    ),
    _sign_in_issue("issuer", "not_a_secure_url", {}, issuer="https://me@id.example.com"),
    _sign_in_issue("dashboard_url", "not_a_secure_url", {}, dashboard_url="https://dashboard.example.com/path"),
    _sign_in_issue("viewer", "unknown_key", {"close": "viewers"}, viewer=["*"]),
    ("sign_in", True, "sign_in", "wrong_type", {"kind": "table"}),
]

RELEASE_ISSUES: list[InvalidConfig] = [
    ("releases", {"servce": "photo/web"}, "releases.servce", "unknown_key", {"close": "service"}),
    ("releases", {"service": "web"}, "releases.service", "not_a_pair", {"given": "web"}),
    ("releases", {"service": "photo/api"}, "releases.service", "another_service", {"given": "photo/api"}),
    ("releases", {"codedeploy": "a/b"}, "releases.codedeploy", "another_service", {"key": "codedeploy"}),
    ("releases", {"target_groups": ["blue", BLUE]}, "releases.target_groups", "not_an_arn", {"given": "blue"}),
    ("releases", {"target_groups": [BLUE]}, "releases.target_groups", "not_a_pair_of_groups", {"given": "1"}),
    ("releases", {"target_groups": [BLUE, BLUE]}, "releases.target_groups", "group_twice", {"given": BLUE}),
    *(
        ("releases", {"commit_url": url}, "releases.commit_url", "not_a_commit_url", {"given": url})
        for url in (
            "http://example.com/{tag}",
            "javascript:alert(1)//{tag}",
            "https://example.com/commit",
            "https://{tag}",
            "https://example.com/{tag}/{sha}",
        )
    ),
]


PROBE_ISSUES: list[InvalidConfig] = [
    ("probe", [{"path": "photos"}], "probe.0.path", "not_a_path", {"given": "photos"}),
    ("probe", [{"path": "/a b"}], "probe.0.path", "not_a_path", {}),
    ("probe", [{"path": "/", "method": "POST"}], "probe.0.method", "not_a_choice", {}),
    ("probe", [{"path": "/", "header": "Host: x"}], "probe.0.header", "not_a_probe_header", {"given": "Host: x"}),
    ("probe", [{"path": "/", "header": "X-A: b\r\nX-C: d"}], "probe.0.header", "not_a_probe_header", {}),
    ("probe", [{"path": "/", "host": "https://a"}], "probe.0.host", "not_a_probe_host", {"given": "https://a"}),
    ("probe", [{"path": "/", "requests": 21}], "probe.0.requests", "out_of_range", {"limit": "20"}),
]
ALL_ISSUES = (
    *PROBE_ISSUES,
    *CONFIG_ISSUES,
    *BATCH_ISSUES,
    *ACCESS_LOG_ISSUES,
    *SERVER_ISSUES,
    *SIGN_IN_ISSUES,
    *RELEASE_ISSUES,
)
