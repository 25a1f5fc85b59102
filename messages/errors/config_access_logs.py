"""Messages for issues in [access_logs], and example lines."""

from messages.i18n import lazy

EXAMPLES = {
    "access_logs.path": 'path = "logs/2026-09-21"',
    "access_logs.bucket": 'bucket = "photo-logs"',
    "access_logs.prefix": 'prefix = "alb"',
    "access_logs.cache": 'cache = "access-logs"',
    "access_logs.cache_gb": "cache_gb = 5",
    "access_logs.routes": 'routes = ["/photos/*/comments", "/admin/**"]',
    "access_logs.max_routes": "max_routes = 500",
    "access_logs.ingest": "ingest = false",
    "access_logs.athena.database": 'database = "default"',
    "access_logs.athena.workgroup": 'workgroup = "primary"',
    "access_logs.athena.output": 'output = "s3://photo-athena-results/migration/"',
    "access_logs.athena.max_usd": "max_usd = 1",
    "access_logs.athena.usd_per_tb": "usd_per_tb = 5",
}
# ConfigIssueCode -> the issue, the fix
TEXTS = {
    "no_logs_place": (
        lazy("It names no place where access logs lie, and without [aws] no load balancer can be asked for it."),
        lazy('Write the folder that holds them, for example `path = "logs"`, or the load balancer under [aws].'),
    ),
    "not_a_bucket": (
        lazy("“{given}” is not the name of an S3 bucket."),
        lazy("Write the name alone, without `s3://` and without a folder: that belongs to `prefix`."),
    ),
    "path_and_bucket": (
        lazy("The logs would lie in two places: in “{given}” on this machine and in the bucket {bucket}."),
        lazy("Keep the one that is meant: `path` or `bucket`."),
    ),
    "prefix_without_bucket": (
        lazy("“{given}” is a prefix in a bucket, and no `bucket` is named."),
        lazy("Write `bucket`, too, or leave both out: the load balancer's attributes name them."),
    ),
    "not_a_route": (
        lazy("“{given}” is no pattern of a path: it begins with `/`, and has no blank, no `?` and no `#`."),
        lazy('Write `*` for one segment and `**` for the rest, for example "/photos/*/comments".'),
    ),
    "route_twice": (lazy("“{given}” stands here more than once."), lazy("Take one of them out: the first pattern that fits a path names its route.")),
    "athena_and_path": (
        lazy("Athena reads logs in S3, and these are on this machine, in “{given}”."),
        lazy("Take out [access_logs.athena], or `path`: the load balancer's own attributes name the bucket."),
    ),
    "not_a_database": (
        lazy("“{given}” is no name of a database in Athena's catalogue."),
        lazy("Write it in small letters, digits and `_`, as `aws athena list-databases --catalog-name AwsDataCatalog` has it."),
    ),
    "not_a_workgroup": (lazy("“{given}” is no name of a workgroup of Athena."), lazy("Write the name alone, as `aws athena list-work-groups` has it.")),
    "not_an_output": (
        lazy("“{given}” is no place in S3 where Athena could put its results."),
        lazy('Write bucket and folder, for example `output = "s3://photo-athena-results/migration/"`, or leave it out where the workgroup names one.'),
    ),
}  # fmt: skip
