"""The paths of what is not a page."""

API_PREFIX = "/api/"
DECISION_PATH, ROLLBACK_PATH, OPENAPI_PATH = (
    f"{API_PREFIX}v1/{name}" for name in ("decision", "rollback", "openapi.json")
)
