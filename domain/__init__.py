"""The ground floor: what a migration is, and the words and shapes that every other room speaks in. Imports none of ours."""

from domain.arn import Arn
from domain.config.errors import ConfigurationError, Mistake, MistakeSlug
from domain.config.loader import load
from domain.config.models import Aws, Criterion, Fleet, Mackerel, Margin, Migration
from domain.events import EVENT_KINDS, Event, EventKind
from domain.frame import COLUMNS, FrameError, assemble, check_frame, empty_frame, epoch_s
from domain.series import FLEETS, FleetName, Series, series_of_load_balancer, series_of_target_group
from domain.traffic import Condition, Group, Rule, Share, Target, Traffic
from domain.weight_changes import How, SplitChange
from domain.window import Clock, Window, utc_now

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
