"""Makes the AsyncAPI document and the JSON Schema of every message from the contracts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from libs.contracts import inventory, orders, payments
from libs.contracts.messages import BodyDecoder, Command, Message, Upcasting
from libs.contracts.topics import TOPICS, Topic
from libs.domain.inventory.consumers import CONSUMER as INVENTORY
from libs.domain.orders.consumers import CONSUMER as ORDERS
from libs.domain.payments.consumers import CONSUMER as PAYMENTS
from libs.foundation.messaging.definitions import ConsumerDefinition
from libs.foundation.version import build


def _as_published(decoder: BodyDecoder) -> type[Message]:
    return decoder.older if isinstance(decoder, Upcasting) else decoder.type


_TABLES: Final = (
    orders.DECODERS,
    inventory.COMMAND_DECODERS,
    inventory.EVENT_DECODERS,
    payments.COMMAND_DECODERS,
    payments.EVENT_DECODERS,
)
CONTRACTS: Final[Mapping[str, type[Message]]] = {
    name: _as_published(decoder) for table in _TABLES for name, decoder in sorted(table.items())
}
CONSUMERS: Final = (ORDERS, INVENTORY, PAYMENTS)
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DAY_MS: Final = 24 * 60 * 60 * 1_000
_TEXT: Final = {"type": "string"}
_DESCRIPTION: Final = (
    "Events are committed facts, published at least once, in the order of `ce_sequence` for each\n"
    "subject; drop repeats by `ce_id`. Bodies are JSON, the rest is headers of CloudEvents 1.0 in\n"
    "binary mode. Fields may be added to a type; anything else is a new type."
)
_HEADERS: Final = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "UUIDv7, one per message."},
        "ce_type": {"type": "string", "description": "The name of the message."},
        "ce_source": {"type": "string", "description": "The context that wrote it."},
        "ce_subject": {"type": "string", "description": "The id of the aggregate; the key too."},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[0-9]{10}$",
            "description": "On events: the aggregate's 1, 2, 3 ... n, with leading zeros.",
        },
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C trace context."},
    },
}


def message_schemas(contracts: Mapping[str, type[Message]] = CONTRACTS) -> dict[str, str]:
    """Return the JSON Schema of each message by its type."""
    return {name: _written(schema_of(contract)) for name, contract in contracts.items()}


def schema_of(contract: type[Message]) -> dict[str, Any]:
    """Return the schema of one body, whole in itself."""
    _, parts = msgspec.json.schema_components([contract], ref_template="#/$defs/{name}")
    body = parts.pop(contract.__name__)
    head = {"$schema": _DIALECT, "$id": f"urn:orderly:{contract.type}"}
    return head | body | ({"$defs": parts} if parts else {})


def asyncapi() -> str:
    """Return the AsyncAPI 3 document of all topics."""
    _, schemas = msgspec.json.schema_components(
        list(CONTRACTS.values()), ref_template="#/components/schemas/{name}"
    )
    return _written(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Orderly",
                "version": build().version,
                "description": _DESCRIPTION,
            },
            "defaultContentType": "application/json",
            "channels": {topic.name: _channel(topic) for topic in TOPICS},
            "operations": _operations(),
            "components": {
                "messages": {name: _message(each) for name, each in CONTRACTS.items()},
                "schemas": {**schemas, "CloudEventsHeaders": _HEADERS},
            },
        }
    )


def _channel(topic: Topic) -> dict[str, Any]:
    kind = "Commands" if not topic.accepts_unknown_types else "Events"
    return {
        "address": topic.name,
        "description": f"{kind}; the partition count is part of the contract.",
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"}
            for name, contract in CONTRACTS.items()
            if contract.topic == topic
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"retention.ms": topic.retention_days * _DAY_MS},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(contract: type[Message]) -> dict[str, Any]:
    return {
        "name": contract.type,
        "title": contract.__name__,
        "summary": " ".join((contract.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventsHeaders"},
        "payload": {"$ref": f"#/components/schemas/{contract.__name__}"},
        "tags": [{"name": "command" if issubclass(contract, Command) else "event"}],
        "bindings": {"kafka": {"key": _TEXT, "bindingVersion": "0.5.0"}},
    }


def _operations() -> dict[str, Any]:
    """Say who writes and who handles what; others may read every topic that they are let to."""
    found: dict[str, Any] = {}
    for source in sorted({contract.source for contract in CONTRACTS.values()}):
        for topic in TOPICS:
            sent = [
                name
                for name, each in CONTRACTS.items()
                if each.source == source and each.topic == topic
            ]
            if sent:
                writer = source.rpartition("/")[2]
                found[f"{writer}-sends-{topic.name}"] = _operation("send", topic, sent)
    for consumer in CONSUMERS:
        for topic in TOPICS:
            handled = _handled(consumer, topic)
            if handled:
                name = f"{consumer.name}-receives-{topic.name}"
                found[name] = _operation("receive", topic, handled)
    return found


def _handled(consumer: ConsumerDefinition, topic: Topic) -> list[str]:
    if topic not in consumer.topics:
        return []
    return [
        name
        for name, contract in CONTRACTS.items()
        if contract.topic == topic and name in consumer.handlers
    ]


def _operation(action: str, topic: Topic, names: Sequence[str]) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
    }


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
