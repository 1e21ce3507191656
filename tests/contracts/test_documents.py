"""The documents are current, complete, and written only when no promise is broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.contracts.asyncapi import asyncapi_document
from shared.contracts.documents import FOLDER, WRITE, as_text, check, main, schema_document, write
from shared.contracts.flow import READERS
from shared.contracts.promises import topic_of
from shared.contracts.registry import CONTRACTS, TOPICS
from shared.contracts.vendor import InspectionSettled
from shared.runtime.headers import Cause, headers_for

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert write(tmp_path) == []
    return tmp_path


def test_the_documents_in_the_repository_are_current_and_no_promise_is_broken() -> None:
    """What stands in docs/contracts is what the code says."""
    assert check(FOLDER) == []


@pytest.mark.parametrize("kind", sorted(CONTRACTS))
def test_a_schema_is_lawful_and_its_golden_example_keeps_it(kind: str) -> None:
    """JSON Schema 2020-12, checked with a validator that is not pydantic."""
    schema = schema_document(CONTRACTS[kind])
    Draft202012Validator.check_schema(schema)
    golden = json.loads((GOLDEN / f"{kind}.json").read_text("utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(golden)) == []


def test_an_older_document_is_told_with_its_remedy(folder: Path) -> None:
    """Stale, missing and orphaned files are named."""
    (folder / "README.md").write_text("old", "utf-8")
    (folder / "schemas" / "ops.record-parked.v1.json").unlink()
    (folder / "schemas" / "nobody.knows.v1.json").write_text("{}", "utf-8")
    sentences = check(folder)
    assert [sentence.split(",")[0].split(":")[0] for sentence in sentences] == [
        "Expected schemas/ops.record-parked.v1.json",
        "Expected no schemas/nobody.knows.v1.json",
        "Expected README.md to say what the contracts say",
    ]
    assert all(sentence.endswith(f"Remedy: `{WRITE}`.") for sentence in sentences)
    assert write(folder) == []
    assert check(folder) == []


def test_nothing_is_written_over_a_broken_promise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The baseline stays as it is and the exit status says no."""
    path = folder / "baseline" / "vendor.inspection-settled.v1.json"
    promise = json.loads(path.read_text("utf-8"))
    promise["schema"]["properties"]["verdict"] = {"type": "string"}
    path.write_text(as_text(promise), "utf-8")
    (folder / "README.md").write_text("old", "utf-8")
    assert main(["write", "--folder", str(folder)]) == 1
    assert "vendor.inspection-settled.v1: field removed at body.verdict" in capsys.readouterr().err
    assert (folder / "README.md").read_text("utf-8") == "old"
    assert json.loads(path.read_text("utf-8")) == promise
    assert main(["check", "--folder", str(folder)]) == 1


def test_a_promise_that_was_removed_is_missed(folder: Path) -> None:
    """Whoever deletes what was promised does not get a new, weaker promise by writing again."""
    promise = folder / "baseline" / "vendor.inspection-settled.v1.json"
    promise.unlink()
    for wrong in (check(folder), write(folder)):
        assert len(wrong) == 1
        assert "restore it from the history" in wrong[0]
    assert not promise.exists()


def test_a_compatible_change_updates_the_baseline(folder: Path) -> None:
    """A field that came since is promised from now on."""
    path = folder / "baseline" / "vendor.inspection-settled.v1.json"
    before = path.read_text("utf-8")
    promise = json.loads(before)
    del promise["schema"]["properties"]["case_id"]
    promise["schema"]["required"].remove("case_id")
    path.write_text(as_text(promise), "utf-8")
    assert [sentence.split(".")[0] for sentence in write(folder)] == ["vendor"], "a new required field is a breach"
    promise["schema"]["properties"]["case_id"] = json.loads(before)["schema"]["properties"]["case_id"]
    promise["schema"]["required"].append("case_id")
    promise["schema"]["properties"]["work_item_id"]["minLength"] = 2
    path.write_text(as_text(promise), "utf-8")
    assert write(folder) == []
    assert path.read_text("utf-8") == before


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _find(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step]
    return document


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    """The document stands alone."""
    document = json.loads(as_text(asyncapi_document()))
    references = list(_references(document))
    assert len(references) > len(CONTRACTS)
    assert all(_find(document, reference) for reference in references)


def test_the_asyncapi_document_names_every_topic_message_writer_and_reader() -> None:
    """AsyncAPI 3.0: a channel per topic, a message per kind, an operation per actor."""
    document = asyncapi_document()
    assert set(document) == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == set(TOPICS)
    assert set(document["components"]["messages"]) == set(CONTRACTS)
    for name, topic in TOPICS.items():
        channel = document["channels"][name]
        assert (channel["address"], channel["x-owner"], channel["x-keyed-by"]) == (name, topic.owner, topic.keyed_by)
        operations = [o for o in document["operations"].values() if o["channel"]["$ref"] == f"#/channels/{name}"]
        assert [o["x-actor"] for o in operations if o["action"] == "send"] == [topic.owner]
        assert [o["x-actor"] for o in operations if o["action"] == "receive"] == list(READERS[name])
    assert "discriminator" not in json.dumps(document)


def test_the_message_headers_are_those_that_the_runtime_writes() -> None:
    """The header schema and the writing code name the same headers."""
    fact = InspectionSettled(work_item_id="w1", case_id="c1")
    at = datetime(2026, 5, 4, tzinfo=UTC).isoformat().encode()
    written = dict(headers_for(fact, b"e1", b"/opsfloor/vendor/supervision/0", 7, at, Cause("e0", "c1", "")))
    schema = asyncapi_document()["components"]["schemas"]["CloudEventHeaders"]
    assert set(written) == set(schema["properties"])
    found = {name: value.decode() for name, value in written.items()}
    assert list(Draft202012Validator(schema).iter_errors(found)) == []


def test_a_document_for_a_parked_record_says_that_it_goes_to_the_dead_letters() -> None:
    """It has no topic of its own."""
    assert topic_of(CONTRACTS["ops.record-parked.v1"]) is None
    assert schema_document(CONTRACTS["ops.record-parked.v1"])["x-topic"] == "<topic>.dlq"
