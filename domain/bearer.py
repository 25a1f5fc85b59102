"""The token that programs send to what is not a page: RFC 6750, "Authorization: Bearer …"."""

import hmac
from collections.abc import Sequence


def has_token(authorization: Sequence[str], token: str) -> bool:
    """Whether the values of a request's Authorization header are the one with `token`. Compared in constant time."""
    scheme, _, given = authorization[0].partition(" ") if len(authorization) == 1 else ("", "", "")
    is_same = hmac.compare_digest(given.strip().encode("latin-1"), token.encode())
    return scheme.lower() == "bearer" and is_same
