"""Every topic has one owner, and nobody else's kinds travel on it."""

from __future__ import annotations

import pytest

from services.audit.controls.processor import controls
from services.intake.reception.processor import reception
from services.routing.desk.processor import desk
from services.routing.emergency.processor import emergency
from services.routing.placement.processor import placement
from services.vendor.supervision.processor import supervision
from shared.contracts.documents import unregistered
from shared.contracts.flow import READERS
from shared.contracts.message import Message
from shared.contracts.promises import topic_of
from shared.contracts.registry import CONTRACTS, TOPICS
from shared.images.store import ImageStore
from shared.runtime.processor import Processor
from tests.contracts.test_golden import GOLDEN

PROCESSORS: tuple[Processor, ...] = (
    reception(ImageStore(None)),  # never asked for an image here
    controls(),
    placement(),
    desk(),
    emergency(),
    supervision(),
)

MODULES_OF_ROUTING = {"reroute": "routing"}
"""Routing publishes much: what it says of reroutes has a module of its own."""


def _service(contract: type[Message]) -> str:
    module = contract.__module__.rpartition(".")[2]
    return MODULES_OF_ROUTING.get(module, module)


def examples() -> list[Message]:
    """The golden example of every kind."""
    return [contract.model_validate_json((GOLDEN / f"{kind}.json").read_text()) for kind, contract in CONTRACTS.items()]


def test_every_topic_has_an_owner_and_readers_on_record() -> None:
    """The flow table names every topic, and no other."""
    assert all(topic.owner for topic in TOPICS.values())
    assert unregistered() == []
    assert set(READERS) - set(TOPICS) == set(), (
        "in shared/contracts/flow.py, and no topic of shared/contracts/registry.py"
    )


def test_a_topic_that_was_forgotten_is_named_with_where_it_belongs() -> None:
    """Whoever adds a kind learns from `make contracts` which table still lacks its topic."""
    others = {name: topic for name, topic in TOPICS.items() if name != "intake.case.v1"}
    (forgotten,) = unregistered(CONTRACTS, others, READERS)
    assert "intake.case.v1, the topic of intake.case-opened.v1, in TOPICS" in forgotten
    (unread,) = unregistered(CONTRACTS, TOPICS, dict.fromkeys(others, ()))
    assert "intake.case.v1 in READERS" in unread


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_a_topic_is_written_from_one_contracts_module_only(name: str) -> None:
    """One module per owning service: a second module's kind on the topic would be a second writer."""
    modules = {_service(c) for c in CONTRACTS.values() if topic_of(c) == TOPICS[name]}
    assert modules == {name.split(".")[0]}, f"Expected {name} to carry kinds, all of its own module"


@pytest.mark.parametrize("kind", sorted(CONTRACTS))
def test_a_kind_carries_its_owner_and_its_version(kind: str) -> None:
    """`<module>.<what>.v<number>`, on a registered topic of the same module."""
    module, _, version = kind.split(".")
    assert _service(CONTRACTS[kind]) == module
    assert version.removeprefix("v").isdigit()
    topic = topic_of(CONTRACTS[kind])
    assert topic is None or TOPICS.get(topic.name) is topic, "enter it in shared/contracts/registry.py"


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda p: p.full_name)
def test_the_flow_table_says_what_the_processor_reads_and_writes(processor: Processor) -> None:
    """Inputs and boards are its reads; outputs belong to its service."""
    reads = {topic.name for topic in processor.inputs} | {board.topic.name for board in processor.boards}
    assert reads == {name for name, readers in READERS.items() if processor.full_name in readers}
    assert {topic.owner for topic in processor.outputs} == {processor.service}


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda p: p.full_name)
def test_a_processor_knows_an_event_by_the_key_that_brought_it(processor: Processor) -> None:
    """Events of one entity reach one shard by their records' key: keyed otherwise they would be decided on several. What
    kind of entity it is may stand before it."""
    events = [event for event in examples() if topic_of(type(event)) in processor.inputs]
    keyed = [(event.key, key) for event in events if (key := processor.key(event)) is not None]
    assert keyed
    assert [(own, key) for own, key in keyed if not key.endswith(own)] == []
