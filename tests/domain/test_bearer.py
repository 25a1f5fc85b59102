"""Only one Authorization header with the whole token is accepted."""

import pytest

from domain.bearer import has_token

TOKEN = "s3cret-tökén"
AS_SENT = TOKEN.encode().decode("latin-1")  # header values are bytes


@pytest.mark.parametrize("value", [f"Bearer {AS_SENT}", f"bearer  {AS_SENT} "])
def test_the_token_is_accepted(value: str) -> None:
    assert has_token([value], TOKEN)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["Bearer"],
        [AS_SENT],
        [f"Basic {AS_SENT}"],
        [f"Bearer {AS_SENT}x"],
        ["Bearer s3cret"],
        [f"Bearer {AS_SENT}"] * 2,
    ],
)
def test_anything_else_is_not(values: list[str]) -> None:
    assert not has_token(values, TOKEN)
