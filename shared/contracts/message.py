"""What every record on the bus has in common: a frozen body, a stable kind, a topic and a key."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

DAY_MS: Final = 86_400_000

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def printable(text: str) -> str:
    """Refuse control characters in an id: it becomes a key in storage and a label on screens."""
    if not text.isprintable():
        raise ValueError("Expected an id of printable characters")
    return text


_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def with_nul(body: bytes) -> bool:
    """Whether a body in JSON holds the one character that PostgreSQL's text has no room for; of a written-out escape it
    does not speak. Nearly none does, and looking for the plain bytes first costs a fiftieth."""
    return b"\\u0000" in body and _NUL.search(body) is not None


WHOLE_MAX: Final = 2**63 - 1


def storable(number: int) -> int:
    """Refuse a whole number that no database and few readers could hold."""
    if not -WHOLE_MAX <= number <= WHOLE_MAX:
        raise ValueError(f"Expected a whole number of at most 64 bits, found one of {number.bit_length()}")
    return number


Whole = Annotated[int, AfterValidator(storable)]
"""A whole number from outside."""

Identity = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(printable)]
Instant = AwareDatetime
Step = Literal["entry", "arbitration", "review", "authorisation", "inspection"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the floor, as a reviewed artefact.

    Holds:   one owning writer; `keyed_by` says in words what the record key is. On a `bundled` one, which only the floor
             itself reads, a record may hold several facts (`shared/runtime/bundles.py`). One without `lanes` is written by
             others than shards: what its records say of a lane counts for nothing.
    Units:   retention in milliseconds; `None` keeps records for ever.
    """

    name: str
    owner: str
    keyed_by: str
    retention_ms: int | None = 7 * DAY_MS
    compacted: bool = False
    bundled: bool = False
    lanes: bool = True

    @property
    def dead_letters(self) -> str:
        """The topic where a reader parks what it cannot decode."""
        return f"{self.name}.dlq"


class Part(BaseModel):
    """A frozen value inside a message. Readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Part):
    """One event or command. Subclasses give `kind` as a literal, their topic and their key."""

    topic: ClassVar[Topic]

    @property
    def key(self) -> str:
        """The record key: what the partition and the order hang on."""
        raise NotImplementedError(f"Expected {type(self).__name__} to say its key")

    def to_json(self) -> bytes:
        """The body as it lies on the bus."""
        return self.__pydantic_serializer__.to_json(self)

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """The message of a body on the bus. Errors: `ValueError`, of a body that breaks the contract."""
        read: Self = cls.__pydantic_validator__.validate_json(body)  # without the model's own detour, for each record
        return read

    @classmethod
    def kind_name(cls) -> str:
        """The stable string that stands for this contract in headers and storage."""
        default: Any = cls.model_fields["kind"].default
        return str(default)


class Money(Part):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount_minor: Whole
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class ImageReference(Part):
    """Points at an image in the object store by the hash of its bytes."""

    sha256: Sha256
    media_type: str
    size_bytes: Annotated[Whole, Field(gt=0)]
    label: str = "voucher"


class Region(Part):
    """A crop of one image, in pixels from its upper left corner."""

    image_sha256: Sha256
    x: Annotated[int, Field(ge=0)]
    y: Annotated[int, Field(ge=0)]
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]


def base64_bytes(text: str) -> bytes:
    """Decode standard base64; `ValueError` says what was expected."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"Expected base64, found {text[:20]!r}") from error
