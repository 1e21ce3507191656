"""The face of a running routing service keeps its own OpenAPI document, whatever is sent: real bus, real database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from tests.conftest import open_folder
from tests.support.terminal import running_floor, until
from tests.unit.emergency.front_desk import KEY, face_for

SCHEMA: Final = schemathesis.openapi.from_dict(face_for(KEY).app.openapi())
NOT_ASKED: Final = [
    unsupported_method,  # Starlette's 405 tells the methods of one route; a path of two routes has GET and POST
    allow_header_conformance,  # the same
    positive_data_acceptance,  # ids are printable, which no JSON Schema can say
    negative_data_rejection,  # a query parameter that nobody asked for is ignored, as everywhere in HTTP
]
pytestmark = pytest.mark.timeout(600)


class Face:
    """The running service's address, and somebody on duty. Holds: the service still answers at the end."""

    def __init__(self, url: str, token: str) -> None:
        self.url: Final = url
        self.headers: Final = {"Authorization": f"Bearer {token}"}

    def ready(self) -> bool:
        return httpx.get(f"{self.url}/ready", timeout=10).status_code == 200


@pytest.fixture(scope="module")
def face() -> Iterator[Face]:
    """Routing as on-call meets it: a process of its own on a broker and a database."""
    with open_folder() as folder, running_floor(folder, ("routing",)) as floor:
        (note,) = (folder / "run").glob("routing-*.json")
        url = json.loads(note.read_text())["url"]
        found = Face(url, floor.type("token duty-lin --role approver").strip())
        until(found.ready)
        yield found
        assert found.ready()


def test_the_service_tells_the_document_that_is_drawn_from(face: Face) -> None:
    """What is sent below is what this very service says that it takes."""
    told = httpx.get(f"{face.url}/openapi.json", headers=face.headers, timeout=10).json()
    ours = {path: each for path, each in SCHEMA.raw_schema["paths"].items() if path.startswith("/reroute")}
    assert {path: told["paths"].get(path) for path in ours} == ours


def answers_to(label: str) -> Callable[..., None]:
    """The test of one operation: no 5xx, no undocumented status or body, no request accepted that the document forbids.

    Holds:   each has a name of its own: of several items with one name a test run over several processes takes one.
    """
    method, _, path = label.partition(" ")

    @SCHEMA.include(path=path, method=method).parametrize()
    @settings(max_examples=8, suppress_health_check=list(HealthCheck))
    def as_the_document_says(case: Case[Any], face: Face) -> None:
        case.call_and_validate(base_url=face.url, headers=face.headers, excluded_checks=NOT_ASKED)

    return cast(Callable[..., None], as_the_document_says)


OPERATIONS: Final = [
    found.ok().label for found in SCHEMA.include(path_regex="^/reroute").get_all_operations() if isinstance(found, Ok)
]
for _label in OPERATIONS:
    globals()[f"test_answers_to_{re.sub(r'[^a-z]+', '_', _label.lower()).strip('_')}"] = answers_to(_label)
