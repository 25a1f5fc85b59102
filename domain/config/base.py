"""What all tables of migration.toml share: unknown keys are refused, values are immutable; validators of texts."""

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict

from domain.arn import Arn, ArnKind, TruncatedArn
from domain.config.errors import ConfigIssueCode, closest, config_error


class ConfigTable(BaseModel):
    """A table of migration.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def matches(pattern: str, code: ConfigIssueCode) -> AfterValidator:
    """A validator that raises `code` unless the whole text matches."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise config_error(code, given=text)
        return text

    return AfterValidator(check)


Pair = Annotated[str, matches(r"([^/:\s]+/[^/:\s]+)?", "not_a_pair")]  # "cluster/service", or ""


def _check_timezone(name: str) -> str:
    zones = available_timezones()
    if name not in zones:
        raise config_error("unknown_timezone", given=name, close=_closest_timezone(name, zones))
    return name


def _closest_timezone(name: str, zones: set[str]) -> str:
    """The most similar time zone: Asia/Tokyo for "asia/tokio" or "Tokyo"; "" if none is similar."""
    spellings = {
        spelling: zone
        for zone in sorted(zones)
        if "/" in zone
        for spelling in (zone.lower(), zone.lower().rpartition("/")[2])
    }
    return spellings.get(closest(name.replace(" ", "_"), spellings), "")


TimezoneName = Annotated[str, AfterValidator(_check_timezone)]


def parse_arn(text: str, kind: ArnKind) -> Arn:
    """The parsed ARN. Raises a configuration error if it is not one of this kind."""
    arn = Arn.parse(text)
    if arn is None and (truncated := TruncatedArn.parse(text, kind)):
        missing, in_part = ",".join(truncated.missing), str(truncated.in_part).lower()
        raise config_error(
            "truncated_arn", given=text, kind=kind, found=truncated.kind, missing=missing, in_part=in_part
        )
    if arn is None:
        raise config_error("not_an_arn", given=text, kind=kind)
    if arn.kind != kind:
        raise config_error("arn_of_another_kind", given=text, kind=kind, found=arn.kind)
    return arn
