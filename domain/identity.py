"""Who visits the dashboard, and what the sign-in permits them to do."""

from dataclasses import dataclass
from typing import Literal, get_args

# In ascending order: each role may do what the ones before it may.
AccessRole = Literal["viewer", "editor", "approver"]
ROLES: tuple[AccessRole, ...] = get_args(AccessRole)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a sign-in states about a user. `email`: "" if it is unknown or not verified."""

    name: str
    email: str = ""
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.email or self.name


@dataclass(frozen=True, slots=True)
class Identity:
    """A visitor. `name`: as the sign-in states it; "" if there is none, as on loopback: then names are typed, and every role is held."""

    name: str = ""
    email: str = ""
    role: AccessRole = "approver"

    @property
    def is_signed_in(self) -> bool:
        return bool(self.name)

    def may(self, role: AccessRole) -> bool:
        """Whether the visitor may do what needs `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)
