"""The floor's topics are made from the contracts, and one that differs is named, never silently used."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contracts.message import Topic
from shared.contracts.registry import TOPICS
from shared.runtime.errors import ContractError, TransientError
from shared.runtime.topics import (
    config_of,
    differences,
    ensure_topics,
    expect_agreed,
    settings_that_differ,
    settle,
    wanted,
)

DAY_MS = 86_400_000


@pytest.fixture
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """The broker's administration."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    yield admin
    await admin.close()


@pytest.fixture
async def topics(admin: AIOKafkaAdminClient) -> AsyncIterator[Mapping[str, Topic]]:
    """Three of the floor's kinds of topics under names of the test's own, removed afterwards."""
    mark = uuid.uuid4().hex[:8]
    made = {
        f"{mark}.{name}": topic
        for name, topic in (
            ("kept", Topic(f"{mark}.kept", "test", "name", retention_ms=None, compacted=False)),
            ("passing", Topic(f"{mark}.passing", "test", "name", retention_ms=7 * DAY_MS, compacted=False)),
            ("board", Topic(f"{mark}.board", "test", "name", retention_ms=None, compacted=True)),
        )
    }
    yield made
    there = set(await admin.list_topics())
    await admin.delete_topics([want.name for want in wanted(1, made) if want.name in there])


async def test_made_once(kafka: str, topics: Mapping[str, Topic], admin: AIOKafkaAdminClient) -> None:
    """Missing topics are made with their dead letters and settings; a second call finds nothing to do."""
    made = await ensure_topics(kafka, 3, topics=topics)
    assert sorted(made) == sorted(want.name for want in wanted(3, topics))
    assert await ensure_topics(kafka, 3, topics=topics) == []
    described = await admin.describe_topics(made)
    assert {len(topic["partitions"]) for topic in described} == {3}
    name = next(name for name in made if name.endswith("passing"))
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert (settings["cleanup.policy"], settings["retention.ms"]) == ("delete", str(7 * DAY_MS))


async def test_a_floor_keeps_its_number(kafka: str, topics: Mapping[str, Topic], admin: AIOKafkaAdminClient) -> None:
    """Asked again without a number it takes what is there, for a topic of a later release too; another one is refused."""
    first = dict(list(topics.items())[:2])
    await ensure_topics(kafka, 4, topics=first)
    with pytest.raises(ContractError, match="all 4 topics: partitions 4, expected 8") as error:
        await ensure_topics(kafka, 8, topics=topics)
    assert "leave `--partitions` out" in str(error.value)
    assert not set(await admin.list_topics()) & (set(topics) - set(first)), "made nothing with the refused number"
    made = await ensure_topics(kafka, topics=topics)
    assert {len(each["partitions"]) for each in await admin.describe_topics(made)} == {4}


async def test_made_at_once(kafka: str, topics: Mapping[str, Topic]) -> None:
    """Processes that start together do not trip over each other's topics."""
    made = await asyncio.gather(*(ensure_topics(kafka, 2, topics=topics) for _ in range(3)))
    assert {name for names in made for name in names} == {want.name for want in wanted(2, topics)}
    assert await ensure_topics(kafka, 2, topics=topics) == []


async def test_differences_are_named(kafka: str, topics: Mapping[str, Topic], admin: AIOKafkaAdminClient) -> None:
    """Every setting that differs is named with what was found, what was expected and the remedy."""
    passing = next(name for name in topics if name.endswith("passing"))
    board = next(name for name in topics if name.endswith("board"))
    await admin.create_topics([NewTopic(passing, 5, 1, topic_configs={"retention.ms": "1000"}), NewTopic(board, 3, 1)])
    with pytest.raises(ContractError) as error:
        await ensure_topics(kafka, 3, topics=topics)
    told = str(error.value)
    assert f"{passing}: partitions 5, expected 3" in told
    assert "docs/operations.md" in told
    assert f"{passing}: retention.ms '1000', expected '{7 * DAY_MS}'" in told
    assert f"{board}: cleanup.policy 'delete', expected 'compact'" in told
    assert "Remedy" in told


async def test_a_service_starts_on_no_topic_that_keeps_otherwise(
    kafka: str, topics: Mapping[str, Topic], admin: AIOKafkaAdminClient
) -> None:
    """Before it reads: what a board's topic deletes, or another forgets too soon, is lost. One that is not there is no matter
    of settings, nor is another number of partitions."""
    board = next(name for name in topics if name.endswith("board"))
    others = {name: topic for name, topic in topics.items() if name != board}
    await ensure_topics(kafka, 3, topics=others)
    await expect_agreed(kafka, topics.values())
    await admin.create_topics([NewTopic(board, 5, 1)])
    await settle(admin, [board])
    with pytest.raises(ContractError, match=r"cleanup\.policy 'delete', expected 'compact'") as refused:
        await expect_agreed(kafka, topics.values())
    assert "opsfloor stack kafka configs --alter" in str(refused.value)
    with pytest.raises(TransientError, match="Expected Kafka"):
        await expect_agreed("127.0.0.1:1", topics.values())


async def test_the_brokers_refusal_is_heard(
    kafka: str, topics: Mapping[str, Topic], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic that the broker refuses to make, here for want of brokers, is named with its reason."""
    monkeypatch.setattr("shared.runtime.topics.replicas_for", lambda brokers: (3, {}))
    with pytest.raises(ContractError, match="InvalidReplicationFactor"):
        await ensure_topics(kafka, 3, topics=topics)


async def test_nobody_there() -> None:
    """A broker that is away is transient."""
    with pytest.raises(TransientError, match="Expected Kafka"):
        await ensure_topics("127.0.0.1:1", 3)


@pytest.mark.parametrize(
    ("setting", "value", "differs"),
    [
        ("retention.bytes", "1000", True),
        ("max.message.bytes", "500", True),
        ("max.message.bytes", str(8 * 1024 * 1024), False),
        ("message.timestamp.type", "LogAppendTime", True),
    ],
)
def test_what_could_lose_a_record_is_a_difference(setting: str, value: str, differs: bool) -> None:
    """A topic that forgets by size, takes no large record or stamps by its own clock is not the contracts' topic."""
    want = next(iter(wanted(1)))
    assert differences(want, want.config) == []
    found = differences(want, {**want.config, setting: value})
    assert ([one.split()[1] for one in found] == [setting]) is differs


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_compaction_and_retention(topic: Topic) -> None:
    """A compacted topic is compacted, one with retention is deleted in time, one without either is kept for ever."""
    config = config_of(topic)
    assert ("compact" in config["cleanup.policy"]) == topic.compacted
    assert config["retention.ms"] == str(-1 if topic.retention_ms is None else topic.retention_ms)
    assert topic.retention_ms is None or "delete" in config["cleanup.policy"]


async def test_a_broker_that_does_not_tell_settings_is_not_one_with_other_settings() -> None:
    """Who may not ask for them is told which right is missing, not to change what is as it should be."""

    class Silent:
        async def describe_configs(self, wanted: Sequence[Any]) -> list[Any]:
            rows: list[tuple[int, str, int, str, list[Any]]] = [
                (29, "Topic authorization failed.", 2, each.name, []) for each in wanted
            ]
            return [SimpleNamespace(resources=rows)]

    with pytest.raises(ContractError, match="TopicAuthorizationFailedError") as refused:
        await settings_that_differ(Silent(), list(wanted(1)))
    assert "DescribeConfigs" in str(refused.value)
