"""What a released contract promises, and which changes break the promise."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.contracts.message import Message, Topic

Schema = Mapping[str, Any]

PARTITIONING: Final = "murmur2 of the key"
DEAD_LETTERS: Final = "<topic>.dlq"
REMEDY: Final = "Remedy: keep this kind as it was and make a v2 beside it, with an upcaster"

_WORDS: Final = frozenset({"title", "description", "examples"})
_NO_LOWER: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_NO_HIGHER: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_AS_IT_WAS: Final = ("pattern", "format", "multipleOf", "uniqueItems")
_OTHER_FORM: Final = frozenset({"type narrowed", "literal narrowed"})
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Breach:
    """One way in which a contract no longer keeps what was promised."""

    kind: str
    rule: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.rule} at {self.where}. {self.detail}. {REMEDY}."


def topic_of(contract: type[Message]) -> Topic | None:
    """The topic of a contract; `None` for a parked record, which goes to the dead letters of any topic."""
    return getattr(contract, "topic", None)


def key_form(contract: type[Message]) -> str:
    """How the record key follows from the body, read from the code of the key: `operator:{operator_id}`.

    Errors:  `TypeError` when the key is more than fields and text.
    """
    getter = inspect.getattr_static(contract, "key").fget
    tree = ast.parse(textwrap.dedent(inspect.getsource(getter)))
    returned = next(node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None)
    return _key_text(returned, contract)


def _key_text(node: ast.expr, contract: type[Message]) -> str:
    match node:
        case ast.JoinedStr(values=values):
            return "".join(_key_text(value, contract) for value in values)
        case ast.FormattedValue(value=value):
            return _key_text(value, contract)
        case ast.Constant(value=str(text)):
            return text
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return f"{{{name}}}" if name in contract.model_fields else str(getattr(contract, name))
        case ast.Attribute():
            return f"{{{ast.unparse(node).removeprefix('self.')}}}"
        case _:
            raise TypeError(f"Expected the key of {contract.__name__} to be fields and text, found {ast.unparse(node)}")


def promise_of(contract: type[Message]) -> dict[str, Any]:
    """The promise of one contract as one JSON document: where it travels, and its schema without words."""
    topic = topic_of(contract)
    return {
        "kind": contract.kind_name(),
        "topic": DEAD_LETTERS if topic is None else topic.name,
        "key": key_form(contract),
        "retention_ms": None if topic is None else topic.retention_ms,
        "compacted": False if topic is None else topic.compacted,
        "bundled": False if topic is None else topic.bundled,
        "lanes": False if topic is None else topic.lanes,
        "partitioning": PARTITIONING,
        "schema": _without_words(contract.model_json_schema()),
    }


def _without_words(node: Any, *, named: bool = False) -> Any:
    """Drop titles and descriptions. Holds: inside `properties` and `$defs` the keys are names, so all of them stay."""
    if isinstance(node, list):
        return [_without_words(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value if key == "default" else _without_words(value, named=key in {"properties", "$defs"} and not named)
        for key, value in node.items()
        if named or key not in _WORDS
    }


def breaches(promised: Mapping[str, Mapping[str, Any]], current: Mapping[str, Mapping[str, Any]]) -> list[Breach]:
    """Every way in which the current contracts break the promised ones, both by kind. New kinds break nothing."""
    found: list[Breach] = []
    for kind, old in sorted(promised.items()):
        if kind not in current:
            found.append(Breach(kind, "kind removed or renamed", "kind", "Records of this kind lie in the topics"))
        else:
            found += _breaches_of(kind, old, current[kind])
    return found


def _breaches_of(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Breach]:
    for name in ("topic", "key", "retention_ms", "compacted", "bundled", "lanes", "partitioning"):
        if old[name] != new[name]:
            rule = f"{name.removesuffix('_ms')} changed"
            yield Breach(kind, rule, name, f"Promised was {old[name]!r}, found {new[name]!r}")
    comparison = _Comparison(kind, old["schema"], new["schema"])
    yield from comparison.of(old["schema"], new["schema"], "body", frozenset())


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares two schemas of one kind: everything that was valid must stay valid, and no field may go."""

    kind: str
    old_root: Schema
    new_root: Schema

    def of(self, old: Schema, new: Schema, where: str, seen: frozenset[tuple[str, str]]) -> Iterator[Breach]:
        """The breaches below one place. Holds: a pair of definitions is looked at once, so recursion ends."""
        pair = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if all(pair):
            if pair in seen:
                return
            seen |= {pair}
        if old.get("default", _ABSENT) != new.get("default", _ABSENT) and "default" in old:
            yield self._breach("default changed", where, old.get("default"), new.get("default", "no default"))
        old, new = _resolved(self.old_root, old), _resolved(self.new_root, new)
        olds, news = _alternatives(old), _alternatives(new)
        if len(olds) == len(news) == 1:
            yield from self._form(olds[0], news[0], where, seen)
            return
        for one in olds:
            yield from self._best(one, news, where, seen)

    def _best(self, old: Schema, news: list[Schema], where: str, seen: frozenset[tuple[str, str]]) -> list[Breach]:
        """The breaches against the alternative that fits best: same form first, then the fewest."""
        fitting = [list(self.of(old, new, where, seen)) for new in news]
        return min(fitting, key=lambda found: (sum(breach.rule in _OTHER_FORM for breach in found), len(found)))

    def _form(self, old: Schema, new: Schema, where: str, seen: frozenset[tuple[str, str]]) -> Iterator[Breach]:
        yield from self._type(old, new, where)
        yield from self._bounds(old, new, where)
        yield from self._fields(old, new, where, seen)
        if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
            yield self._breach("type narrowed", f"{where} (additionalProperties)", "any other field", "none")
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
                yield from self.of(old[key], new[key], f"{where}[]", seen)
        olds, news = old.get("prefixItems", []), new.get("prefixItems", [])
        for number, (one, other) in enumerate(zip(olds, news, strict=False)):
            yield from self.of(one, other, f"{where}[{number}]", seen)

    def _type(self, old: Schema, new: Schema, where: str) -> Iterator[Breach]:
        before, after = old.get("type"), new.get("type")
        if after is not None and before != after and (before, after) != ("integer", "number"):
            yield self._breach("type narrowed", where, before, after)
        allowed, allows = _values(old), _values(new)
        if allows is not None and (allowed is None or not set(allowed) <= set(allows)):
            yield self._breach("literal narrowed", where, allowed or "any value", allows)

    def _bounds(self, old: Schema, new: Schema, where: str) -> Iterator[Breach]:
        for name in (*_NO_LOWER, *_NO_HIGHER, *_AS_IT_WAS):
            before, after = old.get(name), new.get(name)
            if after is None or before == after:
                continue
            looser = before is not None and (
                (name in _NO_LOWER and after < before) or (name in _NO_HIGHER and after > before)
            )
            if not looser:
                yield self._breach("type narrowed", f"{where} ({name})", before or "no bound", after)

    def _fields(self, old: Schema, new: Schema, where: str, seen: frozenset[tuple[str, str]]) -> Iterator[Breach]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before:
            if name not in after:
                yield self._breach("field removed", f"{where}.{name}", "there", "nothing")
            else:
                yield from self.of(before[name], after[name], f"{where}.{name}", seen)
        for name in new.get("required", []):
            if name not in old.get("required", []):
                was = "optional" if name in before else "absent"
                yield self._breach("field newly required", f"{where}.{name}", was, "required")

    def _breach(self, rule: str, where: str, before: Any, after: Any) -> Breach:
        return Breach(self.kind, rule, where, f"Promised was {before!r}, found {after!r}")


def _resolved(root: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        node = root["$defs"][str(node["$ref"]).rpartition("/")[2]]
    return node


def _alternatives(node: Schema) -> list[Schema]:
    return list(node.get("anyOf") or node.get("oneOf") or [node])


def _values(node: Schema) -> list[Any] | None:
    if "const" in node:
        return [node["const"]]
    return node.get("enum")
