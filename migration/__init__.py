"""The ground floor: what a migration is, and the words and shapes that every other room speaks in. Imports none of ours."""

from migration.arn import Arn
from migration.configuration import Aws, Criterion, Fleet, Mackerel, Margin, Migration
from migration.events import EVENT_KINDS, Event, EventKind
from migration.frame import COLUMNS, FrameError, assemble, check_frame, empty_frame, epoch_s
from migration.mistakes import ConfigurationError, Mistake, MistakeSlug
from migration.reading import load
from migration.series import FLEETS, FleetName, Series, series_of_load_balancer, series_of_target_group
from migration.splits import How, SplitChange
from migration.traffic import Condition, Group, Rule, Share, Target, Traffic
from migration.window import Clock, Window, utc_now

__all__ = [
    "COLUMNS",
    "EVENT_KINDS",
    "FLEETS",
    "Arn",
    "Aws",
    "Clock",
    "Condition",
    "ConfigurationError",
    "Criterion",
    "Event",
    "EventKind",
    "Fleet",
    "FleetName",
    "FrameError",
    "Group",
    "How",
    "Mackerel",
    "Margin",
    "Migration",
    "Mistake",
    "MistakeSlug",
    "Rule",
    "Series",
    "Share",
    "SplitChange",
    "Target",
    "Traffic",
    "Window",
    "assemble",
    "check_frame",
    "empty_frame",
    "epoch_s",
    "load",
    "series_of_load_balancer",
    "series_of_target_group",
    "utc_now",
]
