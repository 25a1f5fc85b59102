"""Messages for issues in [sign_in], and example lines."""

from messages.i18n import lazy

EXAMPLES = {
    "sign_in.method": 'method = "oidc"',
    "sign_in.viewers": 'viewers = ["@example.com"]',
    "sign_in.editors": 'editors = ["web-team"]',
    "sign_in.approvers": 'approvers = ["ayumi@example.com"]',
    "sign_in.groups_claim": 'groups_claim = "groups"',
    "sign_in.session_hours": "session_hours = 12",
    "sign_in.issuer": 'issuer = "https://id.example.com"',
    "sign_in.client_id": 'client_id = "migration-dashboard"',
    "sign_in.dashboard_url": 'dashboard_url = "https://dashboard.example.com"',
    "sign_in.scope": 'scope = "openid email profile"',
    "sign_in.load_balancer": (
        'load_balancer = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/front/0123456789abcdef"'
    ),
    "sign_in.public_keys_url": 'public_keys_url = "https://public-keys.auth.elb.ap-northeast-1.amazonaws.com"',
    "sign_in.sign_out_url": 'sign_out_url = "https://id.example.com/logout"',
}
# ConfigIssueCode -> the issue, the fix
TEXTS = {
    "not_a_secure_url": (
        lazy("“{given}” is not an HTTPS address without a query."),
        lazy("Use `https://…`; `http://` only for this machine. `dashboard_url` has no path."),
    ),
    "not_a_member": (
        lazy("“{given}” is neither an e-mail address, a domain nor a group."),
        lazy("Use `ayumi@example.com`, `@example.com`, the name of a group, or `*` for every user of the provider."),
    ),
    "no_members": (
        lazy("[sign_in] has neither `viewers`, `editors` nor `approvers`, so no page could be opened."),
        lazy('Add at least one list, for example `viewers = ["@example.com"]`.'),
    ),
    "key_of_method": (
        lazy("Missing: the sign-in method “{method}” needs it."),
        lazy("See docs/sign_in.md."),
    ),
    "key_of_another_method": (
        lazy("This key is of the method “{other}”, but `method` is “{method}”."),
        lazy("Remove it, or change `method`."),
    ),
    "another_sign_in": (
        lazy("[sign_in] differs from that of {other}: one process has one sign-in."),
        lazy("Use the same [sign_in], or leave it out in one of the two."),
    ),
}
