"""`doctor`: checks the configuration, the archive and every permission of every source."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from commands.shared import startup
from commands.shared.options import Config, Demo, Json
from sources.base import Health
from sources.registry import Sources


def doctor(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = startup.load_or_exit(config, demo, as_json=as_json)
    checks = run_checks(startup.open_sources(migration))
    startup.exit_with_report(startup.examine(migration, config, checks), as_json=as_json)


def run_checks(sources: Sources) -> tuple[Health, ...]:
    """The checks of all sources, in parallel."""
    optional = (sources.traffic, sources.logs, sources.athena)
    batches = (*sources.batches, *((sources.triggers,) if sources.triggers else ()))
    checked = (*sources.metrics, *(source for source in optional if source), *sources.events, *batches)
    with ThreadPoolExecutor(len(checked) or 1) as threads:
        return tuple(chain.from_iterable(threads.map(lambda source: source.check(), checked)))
