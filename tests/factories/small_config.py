"""The smallest migration.toml: two fleets of one target group each, and the tables that a test adds."""

MACKEREL = '[mackerel]\nservice = "photo"\n'


def small_toml(
    tables: str = MACKEREL,
    *,
    keys: str = "",
    name: str = "Photo service",
    groups: tuple[str, str] = ("photo-ec2", "photo-ecs"),
    canary_keys: str = "",
) -> str:
    """`tables`: those behind the fleets. `keys`, `canary_keys`: further lines of [migration] and [fleets.canary]. `groups`: names, or ARNs with [aws]."""
    baseline, canary = groups
    return f"""
[migration]
name = "{name}"
{keys}

[fleets.baseline]
label = "EC2"
target_groups = ["{baseline}"]

[fleets.canary]
label = "ECS"
target_groups = ["{canary}"]
{canary_keys}

{tables}"""
