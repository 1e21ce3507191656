"""The floor's topics on a broker: made from the contracts, compared with them ever after."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.message import Topic
from shared.contracts.registry import TOPICS
from shared.runtime.errors import ContractError, TransientError, in_words
from shared.runtime.kafka_access import RIGHTS_REMEDY, words_of

PARTITIONS_DEFAULT: Final = 8
REPLICAS_MAX: Final = 3
ANY_TIME: Final = {"message.timestamp.after.max.ms": str(2**63 - 1), "message.timestamp.type": "CreateTime"}
"""Records carry the floor's time; when its clock is scaled that runs ahead of the broker's, which would refuse them."""
BY_TIME_ALONE: Final = {"retention.bytes": "-1"}
"""Nothing goes because much of it came: who reads late would miss it."""
RECORD_BYTES_MIN: Final = 1024 * 1024 + 12  # what a broker takes unless told otherwise; a bundle may have half of it
AT_LEAST: Final = frozenset({"max.message.bytes"})
PARTITIONS_REMEDY: Final = (
    "a floor keeps the number of partitions that it began with: leave `--partitions` out, or name that number; never grow"
    " a topic (docs/operations.md, «More partitions»)"
)
SETTINGS_REMEDY: Final = (
    "set those topics' settings as expected: `opsfloor stack kafka configs --alter --entity-type topics --entity-name NAME"
    " --add-config NAME=VALUE`"
)
SETTLE_CHECKS_MAX: Final = 150
SETTLE_CHECK_SECONDS: Final = 0.1
DEAD_LETTER_RETENTION_MS: Final = 90 * 86_400_000
DEAD_LETTER_BYTES_MAX: Final = 3 * 1024 * 1024  # the largest record that Kafka takes elsewhere, in base64, with room


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic as the contracts want it."""

    name: str
    partitions: int
    config: Mapping[str, str]


def config_of(topic: Topic) -> dict[str, str]:
    """Kafka's settings for a contract's retention and compaction."""
    policy = "compact" if topic.compacted and topic.retention_ms is None else "delete"
    if topic.compacted and topic.retention_ms is not None:
        policy = "compact,delete"
    retention = -1 if topic.retention_ms is None else topic.retention_ms
    return {
        "cleanup.policy": policy,
        "retention.ms": str(retention),
        "max.message.bytes": str(RECORD_BYTES_MIN),
        **BY_TIME_ALONE,
        **ANY_TIME,
    }


def wanted(partitions: int, topics: Mapping[str, Topic] = TOPICS) -> Iterator[Wanted]:
    """Every topic of the contracts and the dead letters beside it."""
    for topic in topics.values():
        yield Wanted(topic.name, partitions, config_of(topic))
        yield Wanted(
            topic.dead_letters,
            partitions,
            {
                "cleanup.policy": "delete",
                "retention.ms": str(DEAD_LETTER_RETENTION_MS),
                "max.message.bytes": str(DEAD_LETTER_BYTES_MAX),
                **BY_TIME_ALONE,
                **ANY_TIME,
            },
        )


def partitions_of(there: Mapping[str, int], names: Sequence[str]) -> int:
    """The floor's number: what most of its topics have, the default while most of them are not made."""
    counts = Counter(there[name] for name in names if name in there)
    return counts.most_common(1)[0][0] if 2 * counts.total() > len(names) else PARTITIONS_DEFAULT


def unequal(partitions_by_topic: Mapping[str, int], expected: int) -> list[str]:
    """Which topics have another number of partitions, in words: one sentence when all have the same other one."""
    odd = {name: count for name, count in partitions_by_topic.items() if count != expected}
    counts = set(odd.values())
    if len(odd) > 1 and len(counts) == 1 and len(odd) == len(partitions_by_topic):
        return [f"all {len(odd)} topics: partitions {counts.pop()}, expected {expected}"]
    return [f"{name}: partitions {count}, expected {expected}" for name, count in odd.items()]


def replicas_for(brokers: int) -> tuple[int, Mapping[str, str]]:
    """How many replicas a new topic has with so many brokers, and the settings that go with them.

    Holds:   with three a record counts as written when two have it: one broker may go, for ever, and nothing is lost.
    """
    replicas = min(REPLICAS_MAX, max(1, brokers))
    return replicas, {"min.insync.replicas": "2"} if replicas == REPLICAS_MAX else {}


def differences(want: Wanted, config: Mapping[str, str]) -> list[str]:
    """How an existing topic's settings differ from the contract, in words."""
    found = []
    for name, value in want.config.items():
        have = config.get(name, "")
        enough = name in AT_LEAST and have.isdigit() and int(have) >= int(value)
        if not enough and sorted(have.split(",")) != sorted(value.split(",")):
            least = "at least " if name in AT_LEAST else ""
            found.append(f"{want.name}: {name} {config.get(name)!r}, expected {least}{value!r}")
    return found


async def ensure_topics(
    bootstrap: str, partitions: int | None = None, topics: Mapping[str, Topic] = TOPICS
) -> list[str]:
    """Make the missing topics; returns their names.

    Holds:   without `partitions` a floor keeps the number that it has; nothing is made while an existing topic differs;
             a new one has as many replicas as there are brokers, three at most.
    Errors:  `ContractError` lists every setting of an existing topic that differs; `TransientError` when Kafka is away.
    """
    admin = AIOKafkaAdminClient(**words_of(bootstrap), request_timeout_ms=15_000)
    try:
        await admin.start()
        names = [want.name for want in wanted(1, topics)]
        there = await _counts(admin, names)
        wants = list(wanted(partitions or partitions_of(there, names), topics))
        await _compare(admin, [want for want in wants if want.name in there], there)
        todo = [want for want in wants if want.name not in there]
        if todo:
            await _create(admin, todo)
        return [want.name for want in todo]
    except TopicAlreadyExistsError:
        return await ensure_topics(bootstrap, partitions, topics)  # another process made them meanwhile
    except (KafkaError, OSError) as error:
        raise TransientError(f"Expected Kafka at {bootstrap} to answer, found {in_words(error)}") from error
    finally:
        await admin.close()


async def expect_agreed(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Refuse topics that are there with other settings than the contracts': what they should keep they may lose.

    Holds:   a topic that is not there is another question's; dead letters beside these are looked at too.
    Errors:  `ContractError` lists every setting that differs, or says that the broker does not tell them; `TransientError`
             when Kafka is away.
    """
    admin = AIOKafkaAdminClient(**words_of(bootstrap), request_timeout_ms=15_000)
    try:
        await admin.start()
        wants = list(wanted(1, {topic.name: topic for topic in topics}))
        there = set(await admin.list_topics())
        settings = await settings_that_differ(admin, [want for want in wants if want.name in there])
    except (KafkaError, OSError) as error:
        raise TransientError(f"Expected Kafka at {bootstrap} to answer, found {in_words(error)}") from error
    finally:
        await admin.close()
    if settings:
        raise ContractError(
            f"Expected the floor's topics as the contracts say, found:{_listed(settings)}\nRemedy: {SETTINGS_REMEDY}"
        )


async def _counts(admin: Any, names: Sequence[str]) -> dict[str, int]:
    """Partitions of those topics that are there."""
    known = set(await admin.list_topics())
    present = [name for name in names if name in known]
    return {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(present)} if present else {}


async def _create(admin: Any, todo: list[Wanted]) -> None:
    replicas, config = replicas_for(len((await admin.describe_cluster())["brokers"]))
    answer = await admin.create_topics(
        [NewTopic(want.name, want.partitions, replicas, topic_configs={**want.config, **config}) for want in todo]
    )
    errors = [(entry[0], for_code(entry[1]), entry[2]) for entry in answer.topic_errors if entry[1]]
    refused = [f"{name}: {kind.__name__} {text}" for name, kind, text in errors if kind is not TopicAlreadyExistsError]
    if refused:  # aiokafka only hands the answer on
        raise ContractError(f"Expected Kafka to make the floor's topics, found:{_listed(refused)}")
    if errors:
        raise TopicAlreadyExistsError(f"made meanwhile: {[name for name, _, _ in errors]}")
    await settle(admin, [want.name for want in todo])


async def settle(admin: Any, names: list[str]) -> None:
    """Wait until the broker knows new topics with all their leaders: a group that joins earlier shares out too little.

    Errors:  `TransientError` when that takes longer than `SETTLE_CHECKS_MAX` looks.
    """
    for _ in range(SETTLE_CHECKS_MAX):
        topics = await admin.describe_topics(names)
        if all(not t["error_code"] and all(not p["error_code"] for p in t["partitions"]) for t in topics):
            return
        await asyncio.sleep(SETTLE_CHECK_SECONDS)
    raise TransientError(f"Expected Kafka to have leaders for {names}")


async def _compare(admin: Any, present: list[Wanted], there: Mapping[str, int]) -> None:
    if not present:
        return
    partitions = unequal(there, present[0].partitions)
    settings = await settings_that_differ(admin, present)
    remedies = [*([PARTITIONS_REMEDY] if partitions else []), *([SETTINGS_REMEDY] if settings else [])]
    if remedies:
        raise ContractError(
            f"Expected the floor's topics as the contracts say, found:{_listed([*partitions, *settings])}\n"
            f"Remedy: {'; '.join(remedies)}"
        )


async def settings_that_differ(admin: Any, present: Sequence[Wanted]) -> list[str]:
    """How the settings of existing topics differ from the contracts, in words.

    Errors:  `ContractError` when the broker does not tell them, as to a user who may not ask for them.
    """
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, want.name) for want in present])
    told = [resource for answer in answers for resource in answer.resources]
    if untold := {for_code(code).__name__: name for code, _, _, name, _ in (each[:5] for each in told) if code}:
        error, name = next(iter(untold.items()))
        raise ContractError(f"Expected Kafka to tell the settings of {name}, found {error}\nRemedy: {RIGHTS_REMEDY}")
    configs = {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for resource in told}
    return [found for want in present for found in differences(want, configs.get(want.name, {}))]


def _listed(lines: Sequence[str]) -> str:
    """One line each: there may be hundreds."""
    return "".join(f"\n  - {line}" for line in lines)
