"""The floor's topics and messages as one AsyncAPI 3.0 document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from shared.contracts.flow import READERS
from shared.contracts.message import Message, Topic
from shared.contracts.promises import PARTITIONING, key_form, topic_of
from shared.contracts.registry import CONTRACTS, TOPICS

VERSION: Final = "1.0.0"
_BINDING: Final = "0.5.0"

HEADERS: Final[dict[str, Any]] = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka's binary mode, with the lane's sequence and what ties a case together.",
    "required": ["ce_id", "ce_source", "ce_type", "ce_time", "ce_specversion", "correlationid", "traceparent"],
    "properties": {
        "ce_id": {"type": "string", "description": "The event's id, the same on every redelivery."},
        "ce_source": {"type": "string", "description": "The writing shard: /opsfloor/<service>/<processor>/<shard>."},
        "ce_type": {"type": "string", "description": "The kind of the message."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it was decided."},
        "ce_specversion": {"const": "1.0"},
        "content-type": {"const": "application/json"},
        "sequence": {
            "type": "string",
            "pattern": "^[0-9]{20}$",
            "description": "Dense per lane (ce_source, topic, partition) from 1, zero-padded; not on outside records.",
        },
        "turn": {
            "type": "string",
            "pattern": r"^\d+\.\d+\.\d+\.\d+$",
            "description": "epoch.event.fact.facts of the writing shard: its facts' order over all lanes, and whether an "
            "event's facts are complete; not on outside records.",
        },
        "correlationid": {"type": "string", "description": "The case."},
        "causationid": {"type": "string", "description": "The id of the event that this one follows from."},
        "traceparent": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    },
}


def asyncapi_document() -> dict[str, Any]:
    """The whole document, in a stable order."""
    references, definitions = models_json_schema(
        [(contract, "validation") for contract in CONTRACTS.values()], ref_template="#/components/schemas/{model}"
    )
    payloads = {contract: reference for (contract, _), reference in references.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Opsfloor",
            "version": VERSION,
            "description": "Every topic of the operations floor, who writes it, who reads it, and what travels on it.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": dict(_operations()),
        "components": {
            "messages": {kind: _message(contract, payloads[contract]) for kind, contract in CONTRACTS.items()},
            "schemas": {"CloudEventHeaders": HEADERS, **_without_discriminators(definitions["$defs"])},
        },
    }


def _without_discriminators(node: Any) -> Any:
    """AsyncAPI's discriminator is a plain string with another meaning; `oneOf` with constants says the same."""
    if isinstance(node, list):
        return [_without_discriminators(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_discriminators(value) for key, value in node.items() if key != "discriminator"}


def kinds_of(topic: Topic) -> list[str]:
    """The kinds that travel on a topic."""
    return [kind for kind, contract in CONTRACTS.items() if topic_of(contract) == topic]


def cleanup_policy(topic: Topic) -> list[str]:
    """Kafka's cleanup policy of a topic."""
    if topic.compacted:
        return ["compact"] if topic.retention_ms is None else ["compact", "delete"]
    return ["delete"]


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"Written by {topic.owner}, keyed by {topic.keyed_by}.",
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds_of(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {
                    "cleanup.policy": cleanup_policy(topic),
                    "retention.ms": -1 if topic.retention_ms is None else topic.retention_ms,
                },
                "bindingVersion": _BINDING,
            }
        },
        "x-owner": topic.owner,
        "x-keyed-by": topic.keyed_by,
        "x-partitioning": PARTITIONING,
        "x-dead-letters": topic.dead_letters,
    }


def _message(contract: type[Message], payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": contract.kind_name(),
        "title": contract.__name__,
        "summary": first_line(contract),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": payload,
        "correlationId": {"location": "$message.header#/correlationid"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": key_form(contract)}, "bindingVersion": _BINDING}
        },
    }


def first_line(contract: type[Message]) -> str:
    """The fact that a contract's docstring starts with."""
    return (contract.__doc__ or "").strip().partition("\n")[0]


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in TOPICS.values():
        yield _operation(topic.owner, "send", topic)
        for reader in READERS[topic.name]:
            yield _operation(reader, "receive", topic)


def _operation(actor: str, action: str, topic: Topic) -> tuple[str, dict[str, Any]]:
    name = "-".join("".join(letter if letter.isalnum() else " " for letter in actor).split())
    return f"{name}.{action}.{topic.name}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{actor} {'writes' if action == 'send' else 'reads'} {topic.name}",
        "x-actor": actor,
    }
