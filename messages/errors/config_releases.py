"""Messages for issues in [releases], and example lines."""

from messages.i18n import lazy

_PREFIX = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup"
_GROUPS = f'target_groups = ["{_PREFIX}/photo-blue/0f1e2d3c4b5a6978", "{_PREFIX}/photo-green/8796a5b4c3d2e1f0"]'
EXAMPLES = {
    "releases.service": 'service = "photo/web"',
    "releases.codedeploy": 'codedeploy = "AppECS-photo/DgpECS-photo"',
    "releases.target_groups": _GROUPS,
    "releases.commit_url": 'commit_url = "https://github.com/example/photo/commit/{tag}"',
}
# ConfigIssueCode -> the issue, the fix
TEXTS = {
    "release_without_groups": (
        lazy("[releases] without [fleets] needs the two target groups of the service."),
        lazy("Set `target_groups` to the ARNs of the blue/green pair."),
    ),
    "releases_without_aws": (
        lazy("The deployments of a service cannot be read without [aws]."),
        lazy("Add [aws] with `region` and `load_balancer`, or remove [releases]."),
    ),
    "another_service": (
        lazy("“{given}” is not the service of a fleet."),
        lazy("Set the same name as `{key}` under [fleets.{fleet}], or remove this line."),
    ),
    "no_release_service": (
        lazy("It is not known whose deployments are the releases."),
        lazy('Set `ecs_service = "cluster/service"` under [fleets.canary]; without [fleets], `service` here.'),
    ),
    "not_a_pair_of_groups": (
        lazy("A deployment shifts the traffic between two target groups; there are {given} here."),
        lazy("Name both target groups of the blue/green pair, or remove this line."),
    ),
    "not_a_commit_url": (
        lazy("“{given}” is not a link to a commit."),
        lazy("Use a URL that begins with `https://` and has `{{tag}}` once where the image's tag belongs."),
    ),
}
