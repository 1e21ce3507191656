"""What `opsfloor prove` says, and with which exit status; what it finds is tested on real tables."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import typer

from opsfloor import prove as command
from opsfloor import proving
from opsfloor.answers import Remedied
from opsfloor.proving import FINDINGS_SHOWN, Proof
from shared.proof.cases import Finding
from tests.contracts.test_owners import PROCESSORS


@pytest.fixture
def proof(monkeypatch: pytest.MonkeyPatch) -> Proof:
    """A floor of two cases, one posted."""
    monkeypatch.setenv("OPSFLOOR_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OPSFLOOR_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    found = Proof({"accepted": 2}, {"posted": 1, "entering": 1}, folded=2, lanes=7, book=Counter(CNY=100))

    async def proved(*_: object) -> Proof:
        return found

    monkeypatch.setattr(command, "proved", proved)
    return found


def status(core_book: Path | None = None, *, as_json: bool = False) -> int:
    with pytest.raises(typer.Exit) as ended:
        command.prove(core_book, as_json)
    return ended.value.exit_code


def test_a_floor_that_kept_its_promises_is_said_to_have(proof: Proof, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, and how much was looked at; what is open is no fault."""
    assert status() == 0
    told = capsys.readouterr().out
    assert "nothing lost, nothing doubled" in told
    assert "2 cases folded again, 7 lanes compared" in told
    assert "Not looked at: what lies on the bus before the last" in told


def test_what_is_broken_is_counted_and_the_first_of_it_named(proof: Proof, capsys: pytest.CaptureFixture[str]) -> None:
    """However much it is, it fits a screen; each with the command that looks closer."""
    for number in range(40):
        proof.add([Finding("one end", f"case c-{number} has 2 ends")], f"opsfloor case c-{number}")
    assert status() == 1
    heard = capsys.readouterr()
    assert "one end: broken 40 times" in heard.err
    assert heard.err.count("Look:") == FINDINGS_SHOWN
    assert "opsfloor case c-0" in heard.err
    assert "nothing lost" not in heard.out


@pytest.mark.parametrize(("book", "code"), [({"CNY": 100}, 0), ({"CNY": 99}, 1), ({"CNY": 100, "USD": 1}, 1)])
def test_the_core_banks_book_is_compared_to_the_smallest_unit(
    proof: Proof, tmp_path: Path, capsys: pytest.CaptureFixture[str], book: dict[str, int], code: int
) -> None:
    """Programs read the same."""
    file = tmp_path / "book.json"
    file.write_text(json.dumps(book))
    assert status(file, as_json=True) == code
    told = json.loads(capsys.readouterr().out)
    assert told["kept"] is (code == 0)
    assert ("equal books" in told["findings"]) is (code == 1)


@pytest.mark.parametrize(
    ("ours", "theirs"), [({}, {"CNY": 0, "USD": 0}), ({"CNY": 0, "USD": 0}, {"USD": 0}), ({"CNY": 0}, {})]
)
def test_a_currency_of_which_nothing_is_booked_is_no_difference(
    proof: Proof, tmp_path: Path, ours: dict[str, int], theirs: dict[str, int]
) -> None:
    """A core bank lists its accounts, also those on which nothing stands."""
    proof.book = Counter(ours)
    file = tmp_path / "book.json"
    file.write_text(json.dumps(theirs))
    assert status(file) == 0


def test_a_book_that_names_a_currency_twice_is_refused(proof: Proof, tmp_path: Path) -> None:
    """JSON would silently keep the last."""
    file = tmp_path / "book.json"
    file.write_text('{"CNY": 1, "USD": 0, "CNY": 100}')
    with pytest.raises(Remedied, match="found CNY several times"):
        command.prove(file, False)


def test_a_book_that_cannot_be_read_is_refused_before_anything_is_looked_at(proof: Proof, tmp_path: Path) -> None:
    """With what it should be."""
    file = tmp_path / "book.json"
    file.write_text('{"CNY": "much"}')
    with pytest.raises(Remedied, match="core bank's book") as refused:
        command.prove(file, False)
    assert "minor units" in refused.value.remedy


def test_no_processor_is_left_out_of_the_proof() -> None:
    """What a processor reads is compared with what was told to it, as soon as there is such a processor."""
    assert proving._reads() == {each.full_name: frozenset(topic.name for topic in each.inputs) for each in PROCESSORS}
