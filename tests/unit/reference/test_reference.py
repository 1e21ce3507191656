"""Reference data: read as a whole, every fault told at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.contracts.reference import Branch, FloorLimits, Operator
from shared.reference import ReferenceErrors, load
from shared.reference.board import ReferenceView
from shared.reference.keys import branch_key, with_local_keys

BANK = Path(__file__).parents[3] / "deploy" / "reference"


def faults(folder: Path, **files: str) -> str:
    """What the loader says of the example bank with these files changed: `old=>new` in a file."""
    for file in BANK.glob("*.yaml"):
        text = file.read_text()
        change = files.get(file.stem.replace("-", "_"))
        if change is not None:
            old, _, new = change.partition("=>")
            assert old in text
            text = text.replace(old, new, 1)
        (folder / file.name).write_text(text)
    with pytest.raises(ReferenceErrors) as told:
        load(folder)
    return str(told.value)


def test_the_example_bank_has_no_fault() -> None:
    """Three business types, two centres and a vendor, people enough for every step."""
    view = ReferenceView()
    for entry in load(BANK):
        view.fold(entry.key, entry)
    assert set(view.business_types) == {"corporate-transfer", "cheque-deposit", "account-maintenance"}
    assert len(view.operators) == 64
    assert [p.id for p in view.providers.values() if p.outside] == ["clearkey"]


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (
            "organisation",
            "centre_id: north, provider_id: house}=>centre_id: nowhere, provider_id: house}",
            "team north-entry: centre 'nowhere' is not defined",
        ),
        (
            "operators",
            "team_id: north-entry,=>team_id: nowhere,",
            "operator north-entry-01: team 'nowhere' is not defined",
        ),
        (
            "operators",
            "corporate-transfer/entry=>corporate-transfer/dancing",
            "work type 'corporate-transfer/dancing' is unknown",
        ),
        (
            "organisation",
            "share_minimum: 0.05, share_maximum: 0.5=>share_minimum: 0.6, share_maximum: 0.5",
            "provider clearkey: share_minimum 0.6 is above share_maximum 0.5",
        ),
        ("business_types", "amount_field: amount=>amount_field: colour", "amount_field 'colour' is none of its fields"),
        ("business_types", "left: 0.55=>left: 0.75", "field amount: its area reaches beyond the image"),
        (
            "business_types",
            "vendor_keyings: [1]=>vendor_keyings: [1, 2]",
            "business_types.corporate-transfer.fields.0.vendor_keyings",
        ),
        ("business_types", "below_minor: 5000000,=>below_minor: 90000000,", "expected tiers in rising order"),
        (
            "business_types",
            "sla_seconds: 1200=>sla_secs: 1200",
            "business_types.corporate-transfer.sla_secs: no such field",
        ),
    ],
)
def test_each_fault_is_named_with_its_place(tmp_path: Path, file: str, change: str, said: str) -> None:
    """Whoever mends the file needs no guess."""
    assert said in faults(tmp_path, **{file: change})


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Nobody mends a file ten times."""
    told = faults(
        tmp_path,
        operators="team_id: north-entry,=>team_id: nowhere,",
        organisation="centre_id: north, provider_id: house}=>centre_id: x, provider_id: house}",
    )
    assert "'nowhere'" in told
    assert "'x'" in told


def test_a_moved_operator_leaves_the_old_team() -> None:
    """The view's index follows the entries, and a tombstone clears it."""
    view = ReferenceView()
    one = Operator(id="a", name="A", team_id="t-1", work_types=())
    view.fold(one.key, one)
    view.fold(one.key, one.model_copy(update={"team_id": "t-2"}))
    assert list(view.operators_by_team["t-1"]) == []
    assert list(view.operators_by_team["t-2"]) == ["a"]
    view.fold(one.key, None)
    assert list(view.operators_by_team["t-2"]) == []


def test_limits_have_defaults_until_they_are_set() -> None:
    """A floor without limits is not without limits."""
    view = ReferenceView()
    assert view.limits == FloorLimits(id="floor")


def test_local_keys_are_made_once_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    """The same branch has the same key tomorrow; nobody else on the machine reads it."""
    branch = Branch(id="b-1", label="B", public_key="local")
    (first,), (second,) = with_local_keys([branch], tmp_path), with_local_keys([branch], tmp_path)
    assert first == second
    assert branch_key(tmp_path, "b-1") is not None
    assert (tmp_path / "branches" / "b-1.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../../../../evil", "/etc/evil", "..", ".", "a b", "分行" * 60])
def test_a_branchs_key_stays_in_the_folder(name: str, tmp_path: Path) -> None:
    """Whatever a branch is called; each has its own."""
    folder = tmp_path / "keys"
    branches = [Branch(id=one, label="B", public_key="local") for one in (name, f"{name}x")]
    entries = with_local_keys(branches, folder)
    assert len({one.public_key for one in entries if isinstance(one, Branch)}) == 2
    assert branch_key(folder, name) is not None
    assert {one.parent for one in tmp_path.rglob("*.key")} == {folder / "branches"}


def test_a_file_that_would_not_be_read_is_told(tmp_path: Path) -> None:
    """And not what is missing without it."""
    for file in BANK.glob("*.yaml"):
        (tmp_path / (f"{file.stem}.yml" if file.stem == "operators" else file.name)).write_text(file.read_text())
    with pytest.raises(ReferenceErrors) as told:
        load(tmp_path)
    assert told.value.faults == ["operators.yml: expected the ending .yaml, found .yml, which is not read; rename it"]
