"""The house as it is promised: every processor has the same rooms, every topic one writer, every link leads somewhere."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from services.audit.controls.processor import controls
from services.intake.reception.processor import reception
from services.routing.desk.processor import desk
from services.routing.emergency.processor import emergency
from services.routing.placement.processor import placement
from services.vendor.supervision.processor import supervision
from shared.contracts.registry import TOPICS
from shared.images import ImageStore
from shared.runtime.processor import Processor

ROOT: Final = Path(__file__).parents[2]
TOP: Final = frozenset(
    [
        ".ci",
        ".gitignore",
        "Makefile",
        "README.md",
        "deploy",
        "docs",
        "opsfloor",
        "pyproject.toml",
        "requirements.lock",
        "services",
        "shared",
        "tests",
    ]
)
SERVICES: Final = ("audit", "intake", "routing", "vendor")
ROOMS: Final = sorted(page.parent for page in (ROOT / "services").glob("*/*/processor.py"))
PROCESSORS: Final[tuple[Processor, ...]] = (
    reception(ImageStore.in_folder(ROOT / ".opsfloor" / "no-images"), lambda facts, now: None),
    controls(),
    placement(),
    desk(),
    emergency(),
    supervision(),
)
NAMELESS: Final = re.compile(r"util|helper|common|misc|manager", re.IGNORECASE)
LINK: Final = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PURE: Final = ("decide.py", "state.py")
OURS: Final = ("services.", "shared.")
MAY_KNOW: Final = frozenset(
    {"__future__", "bisect", "collections", "cryptography", "dataclasses", "datetime", "decimal", "enum", "functools"}
    | {
        "hashlib",
        "heapq",
        "itertools",
        "math",
        "operator",
        "re",
        "services",
        "shared",
        "sortedcontainers",
        "statistics",
    }
    | {"string", "types", "typing", "zoneinfo"}
)
"""What deciding may import: nothing that reads a file, a clock or a dice."""
SHARED_MAY_KNOW: Final = MAY_KNOW | {
    *("base64", "contextvars", "io", "orjson", "PIL", "pydantic"),
    *("struct", "unicodedata", "uuid", "warnings", "zlib"),
}
"""What those modules of `shared` may import that deciding reaches: contracts, boards, checks of bytes in memory."""
READS: Final = {"open", "print", "input", "__import__", "eval", "exec", "compile"}
CLOCKS: Final = {"datetime", "date"}
ASKS: Final = {"now", "utcnow", "today", "monotonic", "sleep", "uuid1", "uuid4"}


def pages() -> Iterator[Path]:
    """Every page of the project, but not of its tools."""
    yield from (page for page in ROOT.rglob("*.md") if not any(part.startswith(".") for part in _parts(page)))


def modules() -> Iterator[Path]:
    """Every module of the project, but not of its tools."""
    yield from (module for module in ROOT.rglob("*.py") if not any(part.startswith(".") for part in _parts(module)))


def _parts(page: Path) -> tuple[str, ...]:
    return page.relative_to(ROOT).parts


def test_the_list_here_is_whole() -> None:
    """Every folder with a processor is one of the processors looked at, so that none escapes the tests below."""
    looked_at = {(p.service, p.name) for p in PROCESSORS}
    assert {(room.parent.name, room.name) for room in ROOMS} == looked_at, "enter it in PROCESSORS of this page"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_processor_has_the_same_rooms(room: Path) -> None:
    """A stranger finds what is decided, on which state, how it is wired, and one page about it."""
    assert {"decide.py", "state.py", "processor.py", "README.md", "__init__.py"} <= {
        file.name for file in room.iterdir()
    }


@cache
def tree_of(module: Path) -> ast.Module:
    """A module as Python reads it."""
    return ast.parse(module.read_text(encoding="utf-8"))


@cache
def named_by(module: Path) -> frozenset[str]:
    """The full names that a module imports, and those of what it takes out of them."""
    found: set[str] = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def deciding(room: Path) -> set[Path]:
    """The modules of a room that decide: `decide` and `state`, and those of its service and of `shared` that they reach."""
    todo, found = [room / name for name in PURE], set[Path]()
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            own = (ROOT / f"{name.replace('.', '/')}.py" for name in named_by(module) if name.startswith(OURS))
            todo += [file for file in own if file.is_file()]
    return found


def test_deciding_is_followed_beyond_its_first_module() -> None:
    """What `decide` asks for an answer is looked at too."""
    assert ROOT / "services/routing/placement/choice.py" in deciding(ROOT / "services/routing/placement")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_deciding_imports_nothing_that_reaches_outside(room: Path) -> None:
    """No file, no network, no clock, no chance: only what stands in the list, in every module that decides."""
    strange = {}
    for module in deciding(room):
        allowed = SHARED_MAY_KNOW if ROOT / "shared" in module.parents else MAY_KNOW
        strange[str(module)] = {name.partition(".")[0] for name in named_by(module)} - allowed
    assert {module: names for module, names in strange.items() if names} == {}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_deciding_reads_nothing_from_outside(room: Path) -> None:
    """No room's pure core opens a file, prints, waits, or asks for the time."""
    for module in deciding(room):
        nodes = list(ast.walk(tree_of(module)))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
        named = {node.id for node in nodes if isinstance(node, ast.Name)}
        asked = {node.func.attr for node in calls if isinstance(node.func, ast.Attribute)}
        clocks = {ast.unparse(node) for node in attributes if ast.unparse(node.value) in CLOCKS and node.attr in ASKS}
        assert not named & READS, module
        assert not asked & ASKS, module
        assert not clocks, module
        waiting = [node for node in nodes if isinstance(node, ast.Await | ast.AsyncFunctionDef)]
        assert not waiting or ROOT / "shared" in module.parents, module  # `shared` names the ports there, too


def test_every_topic_of_a_processor_is_its_own_services() -> None:
    """A processor writes only topics of the service it belongs to."""
    for processor in PROCESSORS:
        assert {topic.owner.split("'")[0] for topic in processor.outputs} == {processor.service}, processor.name


def test_every_input_is_a_contract() -> None:
    """What a processor reads stands in the registry, and so in the documents."""
    for processor in PROCESSORS:
        assert {topic.name for topic in (*processor.inputs, *processor.outputs)} <= set(TOPICS), processor.name


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: str(processor.name))
def test_a_processors_page_names_its_topics(processor: Processor) -> None:
    """The page in the folder tells what goes in and what comes out."""
    page = (ROOT / "services" / processor.service / processor.name / "README.md").read_text(encoding="utf-8")
    assert [topic.name for topic in (*processor.inputs, *processor.outputs) if topic.name not in page] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_page_that_leads_to_its_processors(service: str) -> None:
    """Whoever opens a service's folder is told what it is for and where to go on."""
    page = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    names = [processor.name for processor in PROCESSORS if processor.service == service]
    assert [name for name in names if f"({name}/README.md)" not in page] == []


def test_no_module_is_called_after_nothing() -> None:
    """A name says what is inside."""
    assert [str(module) for module in modules() if NAMELESS.search(module.stem)] == []


def test_every_link_leads_somewhere() -> None:
    """Relative links of all pages name files that exist."""
    dead: dict[str, list[str]] = defaultdict(list)
    for page in pages():
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                dead[str(page.relative_to(ROOT))].append(target)
    assert dead == {}


def test_the_house_has_no_room_that_nobody_planned() -> None:
    """What a command leaves where one stands (data, jars, keys) is not kept by accident."""
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if kept.returncode:
        pytest.skip(f"Expected a checkout, found: {kept.stderr.strip()}")
    assert {path.partition("/")[0] for path in kept.stdout.splitlines()} == TOP
