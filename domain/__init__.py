"""Domain types: configuration, windows, series, the tidy frame, traffic and events. Imports no other package of this program."""

from domain.arn import Arn
from domain.conditions import Condition
from domain.config.criteria import Criterion, Margin
from domain.config.errors import ConfigIssue, ConfigIssueCode, ConfigurationError
from domain.config.loader import load
from domain.config.models import Aws, Fleet, Mackerel, Migration, Slo
from domain.config.several import Configuration, load_configuration
from domain.events import EVENT_KINDS, Event, EventKind, Removal
from domain.frame import COLUMNS, FrameError, assemble, check_frame, empty_frame, epoch_s
from domain.series import FLEETS, FleetName, Series, series_of_load_balancer, series_of_target_group
from domain.traffic import Group, Rule, Share, Target, Traffic
from domain.weight_changes import ChangeTool, WeightChange
from domain.window import Clock, Window, utc_now
