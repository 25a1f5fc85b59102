"""Incidents and the notes that acknowledge them."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from analysis.parity.incidents import Incident, IncidentKind
from archive.events.notes import acknowledged_incident
from domain import Event

MAX_SHIFT_S = 300  # of the start: the counts of its first minutes may have been revised, or were not read


def parse_incident_id(text: str) -> tuple[IncidentKind, int]:
    """The kind and the start (epoch seconds) in an incident's id. Raises ValueError."""
    kind: IncidentKind = "slow" if text.endswith("-slow") else "errors"
    start = datetime.strptime(text.removesuffix("-slow"), "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    return kind, int(start.timestamp())


def acknowledgements(incidents: Sequence[Incident], notes: Iterable[Event]) -> Mapping[str, Event]:
    """The note that acknowledges an incident, by the incident's id: the newest one, if there are several.

    A note names the id of its time. It is of the incident of the same kind whose window, give or take MAX_SHIFT_S, has that start.
    """
    found = dict[str, Event]()
    for note in notes:
        with suppress(ValueError):  # an ordinary note, or an imported id of another form
            kind, start = parse_incident_id(acknowledged_incident(note))
            for incident in incidents:
                first, last = incident.window.start - MAX_SHIFT_S, incident.window.end + MAX_SHIFT_S
                if kind == incident.kind and first <= start <= last:
                    found[incident.id] = note
    return found
