#!/bin/sh
# Asks the gate of the dashboard whether the migration may go on, until it decides. docs/gate.md has recipes.
#
# Exit code, that of `cli.py judge`: 0 continue, 1 roll back, 2 wait or hold when GATE_WAIT_S is over, 3 no data, or no answer.
# Environment: GATE_URL (…/api/v1/decision), GATE_TOKEN; GATE_SHARE, the canary's configured share in percent; GATE_MIGRATION, its slug;
# GATE_WAIT_S (0: ask once), GATE_INTERVAL_S (30).

set -u
query="gate=strict${GATE_SHARE:+&share=$GATE_SHARE}${GATE_MIGRATION:+&migration=$GATE_MIGRATION}"
waited=0
while :; do
  # The token is not an argument: other users of the machine can see those.
  answer=$(printf 'header = "Authorization: Bearer %s"\n' "${GATE_TOKEN:-}" |
    curl --config - --silent --show-error --max-time 20 --write-out '\n%{http_code}' "$GATE_URL?$query") || answer='
000'
  status=$(printf '%s\n' "$answer" | tail -n 1)
  printf '%s\n' "$answer" | sed '$d' | sed -n 's/.*"headline":"\([^"]*\)".*/\1/p' | head -n 1
  case $status in
    200) code=0 ;;
    409) code=2 ;;
    412) code=1 ;;
    400 | 401 | 403 | 404) echo "HTTP $status: see docs/gate.md" >&2; exit 3 ;;
    *) echo "HTTP $status: no decision" >&2; code=3 ;;
  esac
  # Nothing is awaited of the first two.
  if [ "$code" -le 1 ] || [ "$waited" -ge "${GATE_WAIT_S:-0}" ]; then exit "$code"; fi
  sleep "${GATE_INTERVAL_S:-30}"
  waited=$((waited + ${GATE_INTERVAL_S:-30}))
done
