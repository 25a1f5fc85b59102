"""Names before schema version 9 and the names since: for the migration, and for exports of format 1 and 2. Frozen like a migration."""

import json
from typing import Any

TABLES = {
    "cell": "rollup_10m",
    "heard": "event_coverage",
    "refusal": "failed_fetch",
    "snapshot": "traffic_snapshot",
    "source": "source_state",
    "split_change": "weight_change",
    "standing": "deployment_state",
    "starter": "trigger",
    "whole": "window_latency",
}
# By new table name: old column → new column.
COLUMNS = {
    "series": {"wanted": "configured"},
    "failed_fetch": {"at": "failed_at"},
    "source_state": {
        "last_good_at": "last_success_at",
        "turn_at": "slot_taken_at",
        "claimed_until": "lease_until",
        "claimed_by": "lease_owner",
        "revision": "change_counter",
    },
}
ROLES = {"whole": "window_latency", "starters": "triggers", "past": "event_backlog"}
# By new table name: old key → new key, at any depth of the JSON in the column `body`.
BODY_KEYS = {
    "traffic_snapshot": {"also": "preceding_actions"},
    "weight_change": {"who": "author", "how": "tool", "told": "affects_weights"},
    "deployment_state": {"before": "previous_task_definition", "why": "reason", "messages": "events"},
    "trigger": {"every": "triggers"},
}


def rename_body_keys(table: str, body: str) -> str:
    """The JSON text `body` of a row of `table` (new name) with the new keys."""
    keys = BODY_KEYS[table]

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {keys.get(key, key): renamed(item) for key, item in value.items()}
        return [renamed(item) for item in value] if isinstance(value, list) else value

    return json.dumps(renamed(json.loads(body)), ensure_ascii=False, separators=(",", ":"))
