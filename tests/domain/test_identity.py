"""What each role may do, and what a visitor may do where there is no sign-in."""

from domain.identity import ROLES, Identity


def test_each_role_may_do_what_the_ones_before_it_may() -> None:
    permitted = {role: [needed for needed in ROLES if Identity("Ayumi", role=role).may(needed)] for role in ROLES}
    assert permitted == {
        "viewer": ["viewer"],
        "editor": ["viewer", "editor"],
        "approver": ["viewer", "editor", "approver"],
    }


def test_without_a_sign_in_every_role_is_held() -> None:
    visitor = Identity()
    assert (visitor.is_signed_in, all(visitor.may(role) for role in ROLES)) == (False, True)
