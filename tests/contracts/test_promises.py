"""The checker of breaking changes catches each kind of breaking change, and lets the compatible ones pass."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import ConfigDict, Field, create_model

from shared.contracts.message import Identity, Message, Part, Topic
from shared.contracts.promises import REMEDY, breaches, key_form, promise_of

TOPIC = Topic("probe.v1", "probe", "probe id")


class Inner(Part):
    size: int
    colour: str = "red"


class Round(Part):
    form: Literal["round"] = "round"
    radius: int


class Square(Part):
    form: Literal["square"] = "square"
    side: int


class Probe(Message):
    """A contract with a field of every form."""

    topic: ClassVar[Topic] = TOPIC
    kind: Literal["probe.v1"] = "probe.v1"
    probe_id: Identity
    other_id: Identity
    state: Literal["open", "closed"]
    maybe: Literal["a", "b"] | None = None
    count: Annotated[int, Field(ge=0, le=10)] = 1
    inner: Inner
    many: tuple[Inner, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    names: dict[str, str] = {}  # noqa: RUF012 - pydantic copies the default
    shape: Annotated[Round | Square, Field(discriminator="form")]

    @property
    def key(self) -> str:
        return self.probe_id


class OtherKey(Probe):
    @property
    def key(self) -> str:
        return f"probe:{self.other_id}"


def _changed(**fields: Any) -> type[Message]:
    return create_model("Probe", __base__=Probe, **fields)


def _rules(changed: type[Message]) -> list[tuple[str, str]]:
    return [(b.rule, b.where) for b in breaches({"probe.v1": promise_of(Probe)}, {"probe.v1": promise_of(changed)})]


def _without(*names: str) -> type[Message]:
    kept = {
        name: (field.rebuild_annotation(), field) for name, field in Probe.model_fields.items() if name not in names
    }
    base: Any = type("Bare", (Message,), {"topic": TOPIC, "key": Probe.key, "__annotations__": {}})
    make: Any = create_model  # its overloads cannot take fields by name
    made: type[Message] = make("Probe", __base__=base, **kept)
    return made


class SmallInner(Part):
    size: int


class DemandingInner(Part):
    size: int
    colour: str = "red"
    weight: int


class ClosedInner(Part):
    model_config = ConfigDict(extra="forbid")
    size: int
    colour: str = "red"


class BigSquare(Part):
    form: Literal["square"] = "square"
    side: int
    depth: int


BREAKING: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "a field becomes required": (
        {"count": (Annotated[int, Field(ge=0, le=10)], ...)},
        ("field newly required", "body.count"),
    ),
    "a new field is required": ({"more": (str, ...)}, ("field newly required", "body.more")),
    "a type is another": ({"other_id": (int, ...)}, ("type narrowed", "body.other_id")),
    "a literal loses a value": ({"state": (Literal["open"], ...)}, ("literal narrowed", "body.state")),
    "an optional literal loses a value": ({"maybe": (Literal["a"] | None, None)}, ("literal narrowed", "body.maybe")),
    "null is no longer allowed": ({"maybe": (Literal["a", "b"], "a")}, ("type narrowed", "body.maybe")),
    "a text becomes a literal": ({"other_id": (Literal["x"], ...)}, ("literal narrowed", "body.other_id")),
    "an upper bound falls": (
        {"count": (Annotated[int, Field(ge=0, le=9)], 1)},
        ("type narrowed", "body.count (maximum)"),
    ),
    "a lower bound rises": (
        {"count": (Annotated[int, Field(ge=1, le=10)], 1)},
        ("type narrowed", "body.count (minimum)"),
    ),
    "a pattern comes": (
        {"other_id": (Annotated[str, Field(min_length=1, max_length=128, pattern="^x")], ...)},
        ("type narrowed", "body.other_id (pattern)"),
    ),
    "a default is another": ({"count": (Annotated[int, Field(ge=0, le=10)], 2)}, ("default changed", "body.count")),
    "a nested field goes": ({"inner": (SmallInner, ...)}, ("field removed", "body.inner.colour")),
    "a nested field is required": ({"inner": (DemandingInner, ...)}, ("field newly required", "body.inner.weight")),
    "a field of a list's items goes": ({"many": (tuple[SmallInner, ...], ())}, ("field removed", "body.many[].colour")),
    "a pair's part is another": ({"pairs": (tuple[tuple[str, int], ...], ())}, ("type narrowed", "body.pairs[][1]")),
    "a map's values are others": ({"names": (dict[str, int], {})}, ("type narrowed", "body.names[]")),
    "only multiples of a number": (
        {"count": (Annotated[int, Field(ge=0, le=10, multiple_of=2)], 1)},
        ("type narrowed", "body.count (multipleOf)"),
    ),
    "a nested part refuses what it does not know": (
        {"inner": (ClosedInner, ...)},
        ("type narrowed", "body.inner (additionalProperties)"),
    ),
    "a form of a union goes": ({"shape": (Round, ...)}, ("literal narrowed", "body.shape.form")),
    "a form of a union demands more": (
        {"shape": (Annotated[Round | BigSquare, Field(discriminator="form")], ...)},
        ("field newly required", "body.shape.depth"),
    ),
}


@pytest.mark.parametrize("change", BREAKING)
def test_a_breaking_change_of_the_body_is_caught(change: str) -> None:
    """Rule and place are named."""
    fields, expected = BREAKING[change]
    assert expected in _rules(_changed(**fields))


def test_a_removed_field_is_caught() -> None:
    """Also when it was optional."""
    assert _rules(_without("maybe")) == [("field removed", "body.maybe")]


def test_a_removed_or_renamed_kind_is_caught() -> None:
    """Records of the kind lie in the topics."""
    found = breaches({"probe.v1": promise_of(Probe)}, {"probe.renamed.v1": promise_of(Probe)})
    assert [(b.kind, b.rule) for b in found] == [("probe.v1", "kind removed or renamed")]


def test_another_key_is_caught() -> None:
    """The key is read from the code: another key is another partition and another order."""
    assert key_form(OtherKey) == "probe:{other_id}"
    assert _rules(OtherKey) == [("key changed", "key")]


@pytest.mark.parametrize(
    ("topic", "rule"),
    [
        (Topic("probe.v2", "probe", "probe id"), "topic changed"),
        (Topic("probe.v1", "probe", "probe id", retention_ms=1), "retention changed"),
        (Topic("probe.v1", "probe", "probe id", compacted=True), "compacted changed"),
        (Topic("probe.v1", "probe", "probe id", bundled=True), "bundled changed"),
        (Topic("probe.v1", "probe", "probe id", lanes=False), "lanes changed"),
    ],
)
def test_another_topic_retention_or_compaction_is_caught(topic: Topic, rule: str) -> None:
    """What operators rely on is part of the promise."""
    moved = type("Probe", (Probe,), {"topic": topic, "__doc__": Probe.__doc__, "__module__": __name__})
    assert [found for found, _ in _rules(moved)] == [rule]


def test_another_partitioning_is_caught() -> None:
    """Records of one key must stay on one partition."""
    old = {**promise_of(Probe), "partitioning": "crc32 of the key"}
    assert [b.rule for b in breaches({"probe.v1": old}, {"probe.v1": promise_of(Probe)})] == ["partitioning changed"]


@pytest.mark.parametrize(
    "fields",
    [
        {"more": (str | None, None)},
        {"state": (Literal["open", "closed", "lost"], ...)},
        {"count": (Annotated[int, Field(ge=0, le=11)], 1)},
        {"other_id": (str | None, ...)},
        {"other_id": (str, "nobody")},
    ],
)
def test_a_compatible_change_passes(fields: dict[str, Any]) -> None:
    """Optional fields, wider literals, looser bounds: whatever was valid stays valid."""
    assert _rules(_changed(**fields)) == []


def test_a_new_kind_passes() -> None:
    """What nobody was promised cannot be broken."""
    assert breaches({}, {"probe.v1": promise_of(Probe)}) == []


def test_a_breach_says_rule_place_and_remedy() -> None:
    """The sentence is enough to mend it."""
    breach = breaches({"probe.v1": promise_of(Probe)}, {"probe.v1": promise_of(_without("maybe"))})[0]
    assert str(breach) == (f"probe.v1: field removed at body.maybe. Promised was 'there', found 'nothing'. {REMEDY}.")


def test_words_are_not_promised() -> None:
    """A docstring may be improved at any time, and a field may be called title."""

    class Titled(Probe):
        """Other words."""

        title: str = ""

    promise = promise_of(Titled)["schema"]
    assert "description" not in promise
    assert "title" in promise["properties"]
    assert _rules(Titled) == []
