"""Who asks over HTTP: the token of a request, and the roles that an endpoint lets in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param

from shared.http.problems import Problem
from shared.http.tokens import ROLES, Claims, Role, TokenError, TokenMissingError, Verifier


def bearer_claims(verifier: Verifier, authorization: str | None) -> Claims:
    """The claims of an `Authorization` header. Errors: `TokenError`."""
    scheme, token = get_authorization_scheme_param(authorization)
    if scheme.lower() != "bearer" or not token:
        raise TokenMissingError(
            "Expected the header `Authorization: Bearer …` with a token; `opsfloor token` makes one"
        )
    return verifier.verify(token)


def refusal_problem(refused: TokenError) -> Problem:
    """The 401 that answers a refused token."""
    return Problem(401, refused.code, str(refused), {"WWW-Authenticate": 'Bearer realm="opsfloor"'})


def requires(*roles: Role) -> Callable[..., Awaitable[Claims]]:
    """A FastAPI dependency: the claims of a bearer who has one of the roles, else 401 or 403.

    Holds:   the application's gate has verified the token already; outside of `build_app` nobody is let in.
    """
    if not roles or not ROLES.issuperset(roles):
        raise ValueError(f"Expected at least one of the roles {', '.join(sorted(ROLES))}, found {roles}")

    async def claims_of(request: Request) -> Claims:
        claims = getattr(request.state, "claims", None)
        if not isinstance(claims, Claims):
            raise refusal_problem(TokenMissingError("Expected a token verified by the service's gate, found none"))
        if claims.role not in roles:
            raise Problem(403, "wrong_role", f"Expected the role {' or '.join(roles)}, this token has {claims.role}")
        return claims

    return claims_of
