"""What every table of the configuration has in common: no key that is not known, nothing changed once it is made."""

from pydantic import BaseModel, ConfigDict


class ConfigTable(BaseModel):
    """A table of migration.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
