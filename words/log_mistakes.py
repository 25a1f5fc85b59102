"""What can be wrong under [access_logs]: the texts of words/mistakes.py, and a line that would be right."""

from words.speech import _

EXAMPLES = {
    "access_logs.path": 'path = "logs/2026-09-21"',
    "access_logs.bucket": 'bucket = "photo-logs"',
    "access_logs.prefix": 'prefix = "alb"',
    "access_logs.cache": 'cache = "access-logs"',
    "access_logs.cache_gb": "cache_gb = 5",
    "access_logs.routes": 'routes = ["/photos/*/comments", "/admin/**"]',
    "access_logs.most_routes": "most_routes = 500",
    "access_logs.record": "record = false",
}

# slug -> what is wrong, what would be right
TEXTS = {
    "no_logs_place": (
        _("It names no place where access logs lie, and without [aws] no load balancer can be asked for it."),
        _('Write the folder that holds them, for example `path = "logs"`, or the load balancer under [aws].'),
    ),
    "not_a_bucket": (
        _("“{given}” is not the name of an S3 bucket."),
        _("Write the name alone, without `s3://` and without a folder: that belongs to `prefix`."),
    ),
    "path_and_bucket": (
        _("The logs would lie in two places: in “{given}” on this machine and in the bucket {bucket}."),
        _("Keep the one that is meant: `path` or `bucket`."),
    ),
    "prefix_without_bucket": (
        _("“{given}” is a prefix in a bucket, and no `bucket` is named."),
        _("Write `bucket`, too, or leave both out: the load balancer's attributes name them."),
    ),
    "not_a_route": (
        _("“{given}” is no pattern of a path: it begins with `/`, and has no blank, no `?` and no `#`."),
        _('Write `*` for one segment and `**` for the rest, for example "/photos/*/comments".'),
    ),
    "route_twice": (
        _("“{given}” stands here more than once."),
        _("Take one of them out: the first pattern that fits a path names its route."),
    ),
}
