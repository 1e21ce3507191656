"""What a library's error says in a sentence of ours."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from shared.runtime.errors import TransientError, in_words
from shared.runtime.kafka_log import KafkaPublisher


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "TimeoutError"),
        (OSError(111, "refused"), None),
        (KafkaConnectionError("no broker"), "KafkaConnectionError: no broker"),
        (KafkaConnectionError(), "KafkaConnectionError"),
        (ValueError("a bent one"), "ValueError: a bent one"),
    ],
)
def test_an_error_says_its_type_once_and_its_text_where_it_has_one(error: Exception, words: str | None) -> None:
    """Kafka's client tells its types itself, Python's timeouts have no text."""
    assert in_words(error) == (words or f"{type(error).__name__}: {error}")


async def test_a_producer_that_the_bus_does_not_answer_says_of_what_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that dies while a service starts: the sentence does not end with «found »."""

    async def never(self: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(AIOKafkaProducer, "start", never)
    with pytest.raises(TransientError, match=r"found TimeoutError$"):
        await KafkaPublisher("127.0.0.1:1").start()
