"""A YAML file and where in it things stand, so that every fault can be told with its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ALIASED_MAX: Final = 100_000
"""Values that the aliases of a file may stand for beyond what is written: a few lines can stand for more than any memory holds."""


SHOWN_MAX: Final = 60  # characters of a value
HALF: Final = re.compile("[\ud800-\udfff]")
"""Half of a character of UTF-16: no text in UTF-8 can hold it."""
NOT_OF_ITS_KIND: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the YAML library says of a value that is not of its kind, as a date that no calendar has, or `!!bool xx`."""


class YamlUnfitError(Exception):
    """The file cannot be read; `faults` has a sentence for each reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults: Final = faults


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    name: str
    content: Any
    root: yaml.Node | None  # of an empty file there is none

    def place(self, path: tuple[Any, ...]) -> str:
        """`file:line` of what the path leads to, or of the last step of it that is there."""
        return f"{self.name}:{1 if self.root is None else _line(self.root, path)}"

    def written(self, path: tuple[Any, ...]) -> str | None:
        """The word that the path leads to as it stands in the file, when it is one without quotes."""
        node = None if self.root is None else _node(self.root, path)
        return node.value if isinstance(node, yaml.ScalarNode) and node.style is None else None

    def doubled(self) -> Iterator[str]:
        """A sentence for each key that stands twice in one mapping: YAML would silently keep the last."""
        if self.root is not None:
            for key, count in _doubled(self.root):
                yield f"{self.name}:{key.start_mark.line + 1}: {key.value!r} stands {count} times in one entry; keep one"


def read_document(file: Path) -> Document:
    """Read a file. Errors: `YamlUnfitError` for one that is no UTF-8 text, no YAML, nested without end, an alias bomb, or with a value
    that is not of the kind it says, or no text."""
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        if root is not None and (circle := _circle(root, set(), set())) is not None:
            fault = (
                f"{file.name}:{circle.start_mark.line + 1}: expected an entry that ends, found one that holds itself by an "
                "alias (*); write out what is meant in its place"
            )
            raise YamlUnfitError([fault])
        if root is not None and _aliased(root) > ALIASED_MAX:
            fault = (
                f"{file.name}: expected aliases (*) to stand for at most {ALIASED_MAX:,} values together, found more; write "
                "out what is meant in their place"
            )
            raise YamlUnfitError([fault])
        if root is not None and (faults := list(_unfit(loader, file.name, root, set()))):
            raise YamlUnfitError(faults)
        content = None if root is None else loader.construct_document(root)
    except (OSError, UnicodeDecodeError) as error:
        raise YamlUnfitError([f"{file.name}: expected a readable UTF-8 file, found {error}"]) from error
    except (yaml.YAMLError, ValueError) as error:  # of a character beyond U+10FFFF it is a ValueError
        raise YamlUnfitError([f"{file.name}: expected YAML, found {str(error).replace(chr(10), ' ')}"]) from error
    except RecursionError as error:
        fault = f"{file.name}: expected lists and entries a few levels deep, found them nested without end"
        raise YamlUnfitError([fault]) from error
    return Document(file.name, content, root)


def unknown_keys(row: Any, read: Any) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """Where the row says what its reader did not take, at any depth, and what may stand there."""
    if isinstance(row, dict) and isinstance(read, dict):
        for key, value in row.items():
            if key not in read:
                yield (key,), read
            for path, known in unknown_keys(value, read.get(key)):
                yield (key, *path), known
    elif isinstance(row, list) and isinstance(read, tuple):
        for index, (value, other) in enumerate(zip(row, read, strict=True)):
            for path, known in unknown_keys(value, other):
                yield (index, *path), known


def _doubled(node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, int]]:
    if isinstance(node, yaml.MappingNode):
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name, count in Counter(key.value for key in keys).items():
            if count > 1:
                yield [key for key in keys if key.value == name][-1], count
        for _, value in node.value:
            yield from _doubled(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value)


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _circle(node: yaml.Node, above: set[int], ended: set[int]) -> yaml.Node | None:
    """A node that stands within itself; none where every branch ends. `ended` are those that are known to."""
    if id(node) in above:
        return node
    if id(node) not in ended:
        found = (_circle(part, above | {id(node)}, ended) for part in _parts(node))
        circle = next((one for one in found if one is not None), None)
        if circle is not None:
            return circle
        ended.add(id(node))
    return None


def _unfit(loader: yaml.SafeLoader, name: str, node: yaml.Node, seen: set[int]) -> Iterator[str]:
    """A sentence for each value that is not of the kind it says or looks like, or has half a character in it."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        place, word = f"{name}:{node.start_mark.line + 1}", repr(str(node.value)[:SHOWN_MAX])
        if HALF.search(node.value):
            yield f"{place}: expected whole characters, found half of one (U+D800 to U+DFFF) in {word}; write the character itself"
            return
        try:
            loader.construct_object(node)
        except NOT_OF_ITS_KIND as error:
            kind = node.tag.rpartition(":")[2]
            why = f" ({error})" if isinstance(error, ValueError) else ""
            yield f"{place}: expected a value of the kind {kind}, found {word}{why}; mend it, or quote it without a tag"
    for part in _parts(node):
        yield from _unfit(loader, name, part, seen)


def _aliased(root: yaml.Node) -> int:
    """How many values aliases stand for, beyond what is written."""
    sizes: dict[int, int] = {}
    return _expanded(root, sizes) - len(sizes)


def _expanded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values the node stands for with its aliases written out; `sizes` gets each node's, by its identity."""
    if id(node) not in sizes:
        sizes[id(node)] = 1 + sum(_expanded(part, sizes) for part in _parts(node))
    return sizes[id(node)]


def _node(node: yaml.Node, path: tuple[Any, ...]) -> yaml.Node | None:
    """What the whole path leads to."""
    if not path:
        return node
    if isinstance(node, yaml.MappingNode):
        return next((_node(value, path[1:]) for key, value in node.value if key.value == path[0]), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(path[0], int) and path[0] < len(node.value):
        return _node(node.value[path[0]], path[1:])
    return None


def _line(node: yaml.Node, path: tuple[Any, ...]) -> int:
    if path and isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == path[0]:
                return _line(value, path[1:]) if path[1:] else int(key.start_mark.line) + 1
    if path and isinstance(node, yaml.SequenceNode) and isinstance(path[0], int) and path[0] < len(node.value):
        return _line(node.value[path[0]], path[1:])
    return int(node.start_mark.line) + 1
