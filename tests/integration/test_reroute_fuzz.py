"""The face keeps its own OpenAPI document, whatever is sent."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from shared.http.tokens import Issuer
from tests.unit.emergency.front_desk import KEY, FrontDesk

DESK = FrontDesk()
DESK.app.openapi_url = None
SCHEMA = schemathesis.openapi.from_dict(DESK.app.openapi())
SCHEMA.app = DESK.app
BEARER = {"Authorization": f"Bearer {Issuer(KEY).issue('lin', 'approver')}"}


NOT_ASKED = [
    unsupported_method,  # Starlette's 405 tells the methods of one route; a path of two routes has GET and POST
    allow_header_conformance,  # the same
    positive_data_acceptance,  # ids are printable, which no JSON Schema can say
    negative_data_rejection,  # a query parameter that nobody asked for is ignored, as everywhere in HTTP
]


@SCHEMA.include(path_regex="^/reroute").parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(case: Case[Any]) -> None:
    """No 5xx, no undocumented status or body, no request accepted that the document forbids."""
    case.call_and_validate(headers=BEARER, excluded_checks=NOT_ASKED)
