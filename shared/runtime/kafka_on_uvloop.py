"""aiokafka on uvloop: a connection that the broker has closed is an error of Kafka's, not of the programme's."""

from __future__ import annotations

from functools import wraps
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_MENDED: Final = "opsfloor_mended"


def mend_connections() -> None:
    """Make aiokafka's connections live through a broker's end on uvloop. Doing it again does nothing.

    Why:     between the end of a connection and the moment its reader hears of it, uvloop answers a write with
             `RuntimeError`, where asyncio's own loop drops it silently. aiokafka looks for `OSError` alone
             (aio-libs/aiokafka issue 1038), so the error ends its background tasks, membership in the group among
             them, and comes out of any call that asks the broker something.
    """
    send = AIOKafkaConnection.send
    if hasattr(send, _MENDED):
        return

    @wraps(send)
    def mended(self: Any, request: Any, expect_response: bool = True) -> Any:
        try:
            return send(self, request, expect_response)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error

    setattr(mended, _MENDED, True)
    AIOKafkaConnection.send = mended
