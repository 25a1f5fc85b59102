"""Messages for issues in [[probe]], and example lines."""

from messages.i18n import lazy

EXAMPLES = {
    "probe.method": 'method = "GET"',
    "probe.path": 'path = "/photos"',
    "probe.header": 'header = "X-Canary: ecs"',
    "probe.host": 'host = "photo.example.com"',
    "probe.expect": "expect = 200",
    "probe.requests": "requests = 5",
}
# ConfigIssueCode -> the issue, the fix
TEXTS = {
    "not_a_path": (lazy("“{given}” is not a path."), lazy('Begin with `/`, without spaces and `#`: "/photos?page=2".')),
    "not_a_probe_header": (
        lazy("“{given}” is not a header that a probe may send."),
        lazy('Write the header that the load balancer\'s rule asks for: "X-Canary: ecs".'),
    ),
    "not_a_probe_host": (
        lazy("“{given}” is not a host."),
        lazy('Write a host of the listener\'s rules, without scheme and port: "photo.example.com".'),
    ),
}
