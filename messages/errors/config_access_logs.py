"""Messages for issues in [access_logs], and example lines."""

from messages.i18n import lazy

EXAMPLES = {
    "access_logs.path": 'path = "logs/2026-09-21"',
    "access_logs.bucket": 'bucket = "photo-logs"',
    "access_logs.prefix": 'prefix = "alb"',
    "access_logs.cache": 'cache = "access-logs"',
    "access_logs.cache_gb": "cache_gb = 5",
    "access_logs.routes": 'routes = ["/photos/*/comments", "/admin/**"]',
    "access_logs.answers_differ": 'answers_differ = ["/albums/:id"]',
    "access_logs.zones": 'zones = { "10.0.10.0/24" = "ap-northeast-1a" }',
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
        lazy("No location of access logs, and without [aws] it cannot be read from the load balancer."),
        lazy('Set the folder, for example `path = "logs"`, or the load balancer under [aws].'),
    ),
    "not_a_bucket": (
        lazy("“{given}” is not an S3 bucket name."),
        lazy("Use the name only, without `s3://`; a folder goes into `prefix`."),
    ),
    "path_and_bucket": (
        lazy("Two locations of the logs: “{given}” on this machine and the bucket {bucket}."),
        lazy("Keep one: `path` or `bucket`."),
    ),
    "prefix_without_bucket": (
        lazy("“{given}” is a prefix, but `bucket` is not set."),
        lazy("Set `bucket`, too, or omit both: they are then read from the load balancer's attributes."),
    ),
    "not_a_route": (
        lazy("“{given}” is not a path pattern: it must start with `/`, without spaces, `?` or `#`."),
        lazy('Use `*` for one segment and `**` for the rest, for example "/photos/*/comments".'),
    ),
    "route_twice": (lazy("“{given}” is listed more than once."), lazy("Remove the duplicate: the first matching pattern names the route.")),
    "not_a_network": (
        lazy("“{given}” is not a network of IP addresses."),
        lazy('Use the CIDR block of a subnet, for example "10.0.10.0/24".'),
    ),
    "not_a_zone": (
        lazy("“{given}” is not the name of an availability zone."),
        lazy('Use its name or its id, for example "ap-northeast-1a" or "apne1-az4".'),
    ),
    "athena_and_path": (
        lazy("Athena reads logs in S3; these are on this machine, in “{given}”."),
        lazy("Remove [access_logs.athena] or `path`: the bucket is then read from the load balancer's attributes."),
    ),
    "not_a_database": (
        lazy("“{given}” is not a database name of Athena's catalog."),
        lazy("Use lower case, digits and `_`; `aws athena list-databases --catalog-name AwsDataCatalog` lists them."),
    ),
    "not_a_workgroup": (lazy("“{given}” is not an Athena workgroup name."), lazy("Use the name only; `aws athena list-work-groups` lists them.")),
    "not_an_output": (
        lazy("“{given}” is not an S3 location for Athena's results."),
        lazy('Use bucket and folder, for example `output = "s3://photo-athena-results/migration/"`, or omit it if the '
"workgroup has a location."),
    ),
}  # fmt: skip
