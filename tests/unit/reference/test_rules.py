"""Rules of the reference data as a whole: told by line, and no bank goes live that its own people could not run."""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsfloor.reference import judged_already, newly_unstaffed
from services.routing.workbench.decide import SLICE_SHARE_MAX
from shared.contracts.reference import BusinessType, Operator, ReferenceEntry, SliceArea, TemplateField, Tier
from shared.contracts.vendor import OperatorStanding
from shared.reference import ReferenceErrors, load
from shared.reference.board import ReferenceView
from shared.reference.rules import VENDOR_AREA_MAX, faults_of
from shared.reference.staffing import most_seated
from shared.standing import StandingView, fold_standing
from shared.yaml_document import YamlUnfitError, read_document

BANK = Path(__file__).parents[3] / "deploy" / "reference"
ENTRIES = load(BANK)
KEY = base64.b64encode(bytes(32)).decode()
WHOLE = TemplateField(
    name="amount", label="Amount", form="amount", vendor_keyings=(1,), area=SliceArea(left=0, top=0, width=1, height=1)
)
"""A field of which the crop is the whole document."""


def told(folder: Path, text: str) -> list[str]:
    """What the loader says of one file with this text."""
    (folder / "bank.yaml").write_text(text)
    with pytest.raises(ReferenceErrors) as found:
        load(folder)
    return found.value.faults


def changed(identity: str, **update: object) -> list[ReferenceEntry]:
    """The example bank with one entry changed."""
    assert any(entry.id == identity for entry in ENTRIES)
    return [entry.model_copy(update=update) if entry.id == identity else entry for entry in ENTRIES]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("centres:\n- {id: n, label: N}\n", "bank.yaml:2: centres.n.city: Field required"),
        ("centres:\n- id: n\n  label: N\n  city: X\n  town: Y\n", "bank.yaml:5: centres.n.town: no such field"),
        ("centres:\n- id: n\n  label: N\n  city: X\n  label: M\n", "bank.yaml:5: 'label' stands 2 times in one entry"),
        ("centres:\n- 7\n", "bank.yaml:2: centres.entry 1: Input should be a valid dictionary"),
        ("centers:\n- {id: n}\n", "bank.yaml:1: expected one of business_types, centres"),
        ("centres: none\n", "bank.yaml:1: centres: expected a list of entries, found str"),
        ("teams:\n- id: t\n  label: T\n  centre_id: n\n  provider_id: p\n", "bank.yaml:2: team t: centre 'n'"),
        ("- centres\n", "bank.yaml: expected business_types, centres"),
        ("", "bank.yaml: expected business_types, centres"),
        ("centres: [\n", "bank.yaml: expected YAML, found"),
        ("operators: &o\n  - *o\n", "bank.yaml:1: expected an entry that ends, found one that holds itself"),
        ("centres:\n- &c {id: n, label: [*c]}\n", "bank.yaml:2: expected an entry that ends"),
        (
            "shifts:\n- {id: s, label: S, begins: 17:15, ends: '22:00'}\n",
            "bank.yaml:2: shifts.s.begins: Input should be a valid string, found '17:15' without quotes; put it in quotes",
        ),
        (
            "operators:\n- id: no\n  name: N\n  team_id: t\n  work_types: []\n",
            "bank.yaml:2: operators.no.id: Input should be a valid string, found 'no' without quotes; put it in quotes",
        ),
        (
            "centres:\n- {id: n, label: N, city: null}\n",
            "bank.yaml:2: centres.n.city: Input should be a valid string, found 'N",
        ),
        (
            "centres:\n- {id: n, label: 2026-02-31}\n",
            "bank.yaml:2: expected a value of the kind timestamp, found '2026-02-31' (day is out of range",
        ),
    ],
)
def test_a_broken_file_is_told_by_line(tmp_path: Path, text: str, fault: str) -> None:
    """Whoever mends the file opens it at the right line."""
    assert any(one.startswith(fault) for one in told(tmp_path, text)), told(tmp_path, text)


def test_a_misspelt_field_deep_in_a_template_is_told(tmp_path: Path) -> None:
    """`keying: 2` read as one keying would quietly halve the control."""
    text = (BANK / "business-types.yaml").read_text().replace("form: amount, keyings: 2", "form: amount, keying: 2", 1)
    faults = told(tmp_path, text)
    assert any("corporate-transfer.fields.0.keying: no such field" in fault for fault in faults)


def test_an_unreadable_file_and_an_empty_folder_are_faults(tmp_path: Path) -> None:
    """Neither is taken for a bank without data."""
    with pytest.raises(ReferenceErrors, match="expected YAML files, found none"):
        load(tmp_path)
    (tmp_path / "bank.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ReferenceErrors, match="expected a readable UTF-8 file"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("identity", "update", "fault"),
    [
        ("clearkey-one-01", {"work_types": ("corporate-transfer/review",)}, "whose staff only key slices"),
        ("north-entry-01", {"branch_id": "nowhere"}, "branch 'nowhere' is not defined"),
        ("clearkey", {"data_classes": ("public",)}, "field amount: vendors may key it, but none of ['clearkey']"),
        ("house", {"data_classes": ("internal",)}, "nobody in the house may see data of class 'personal'"),
        ("branch-01", {"label": "Wang\0fujing"}, "branch branch-01: one of its texts holds the character U+0000"),
        ("branch-01", {"public_key": "AAAA"}, "branch branch-01: public_key is no Ed25519 key"),
        ("branch-01", {"public_key": "not base64"}, "branch branch-01: public_key is no Ed25519 key"),
        ("floor", {"time_zone": "Middle/Earth"}, "no IANA time zone"),
        ("floor", {"restore_error_rate": 0.05}, "must lie below suspend_error_rate"),
        ("floor", {"reroute_return_step_seconds": 401.0}, "reroute_return_step_seconds must be at most 400, found 401"),
        ("floor", {"image_bytes_max": 0}, "image_bytes_max must be above zero"),
        ("floor", {"id": "other"}, "have the id 'floor'"),
        ("floor", {"image_types": ()}, "image_types must name"),
        ("floor", {"image_types": ("image/png", "image/svg+xml")}, "image_types must name"),
        ("floor", {"score_items_min": 201}, "must not lie above score_window"),
        ("floor", {"suspend_error_rate": 7.0}, "suspend_error_rate is a share"),
        ("floor", {"probation_inspected_share": 3.0}, "probation_inspected_share is a share"),
        ("floor", {"probation_items": -1}, "probation_items must not be below zero"),
        ("floor", {"work_lease_seconds_min": -1.0}, "work_lease_seconds_min must be at least 1"),
        ("floor", {"offer_lease_seconds": 1e-9}, "offer_lease_seconds must be at least 1, found 1e-09"),
        ("north-entry-01", {"id": "north/entry"}, "expected an id without slashes and blanks, found 'north/entry'"),
        ("north-entry-01", {"id": "north entry"}, "expected an id without slashes and blanks"),
        ("corporate-transfer", {"posting_lead_seconds": 62_101.0}, "reaches to before the day whose cut_off is 17:15"),
        ("corporate-transfer", {"posting_lead_seconds": 62_100.0}, ""),
        (
            "corporate-transfer",
            {"fields": (WHOLE.model_copy(update={"name": "declared_amount"}),)},
            "own figure is shown",
        ),
        ("corporate-transfer", {"cut_off": "27:15"}, "is no time of day"),
        ("corporate-transfer", {"sla_seconds": math.inf}, "corporate-transfer: sla_seconds must be finite"),
        ("corporate-transfer", {"sla_seconds": 1e26}, "corporate-transfer: sla_seconds must be at most 315,360,000"),
        ("corporate-transfer", {"sla_urgent_seconds": 1_201.0}, "sla_urgent_seconds must not lie above sla_seconds"),
        ("corporate-transfer", {"amount_field": "payee-name"}, "amount_field 'payee-name' is no amount"),
        ("corporate-transfer", {"currency": "yuan"}, "currency 'yuan' is none; write its ISO 4217 code"),
        ("corporate-transfer", {"fields": (WHOLE,)}, "vendors may key it, and would see 100% of the image"),
        ("branch-01", {"public_key": KEY}, ""),
        ("corporate-transfer", {"tiers": ()}, ""),
    ],
)
def test_a_rule_of_control_that_the_data_would_break_is_told(
    identity: str, update: dict[str, object], fault: str
) -> None:
    """One sentence with its remedy; the last rows show that a lawful change is told nothing."""
    faults = faults_of(changed(identity, **update))
    assert any(fault in one for one in faults) if fault else faults == []


def tier(below: int | None, authorisers: int, **asked: object) -> Tier:
    """A step of a ladder."""
    return Tier.model_validate({"below_minor": below, "authorisers": authorisers, **asked})


@pytest.mark.parametrize(
    ("tiers", "fault"),
    [
        ((tier(100, 1), tier(None, 0)), "the tier above 100 needs 0 authorisers, the one below it 1"),
        ((tier(100, 2), tier(200, 2), tier(None, 1, grade_min=1)), "the tier above 200 needs 1 authorisers"),
        ((tier(100, 1, grade_min=1), tier(None, 1)), "the tier above 100 has grade_min 0, the one below it 1"),
        ((tier(100, 1, rekey_amount=True), tier(None, 1)), "has rekey_amount False"),
        ((tier(100, 2, distinct_teams=True), tier(None, 2)), "has distinct_teams False"),
        ((tier(0, 0), tier(None, 1)), "expected below_minor above zero, found 0"),
        ((tier(-5, 0), tier(None, 1)), "expected below_minor above zero, found -5"),
        ((tier(100, 0, rekey_amount=True), tier(200, 0), tier(None, 1, grade_min=1)), ""),
        ((tier(100, 1, grade_min=1), tier(None, 2)), ""),
    ],
)
def test_a_larger_amount_is_asked_no_less_of(tiers: tuple[Tier, ...], fault: str) -> None:
    """Whoever writes the ladder upside down lets the largest amounts through; the last rows are lawful."""
    faults = [one for one in faults_of(changed("corporate-transfer", tiers=tiers)) if "tier" in one or "below" in one]
    assert any(fault in one for one in faults) if fault else faults == []


@pytest.mark.parametrize(("file", "identity"), [("operators", "north-entry-01"), ("organisation", "clearkey")])
def test_a_reinstatement_still_to_come_is_told_by_its_line(tmp_path: Path, file: str, identity: str) -> None:
    """Nothing wakes supervision when it comes, so it is refused when it is published; one that has come is not."""
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    for one in BANK.glob("*.yaml"):
        (tmp_path / one.name).write_text(one.read_text())
    sheet, entry = tmp_path / f"{file}.yaml", f"{{id: {identity}, "
    lines = sheet.read_text().splitlines(True)
    (number,) = (n for n, line in enumerate(lines) if entry in line)
    for at, still_to_come in ((now + timedelta(seconds=1), True), (now, False)):
        said = lines[number].replace(entry, f"{entry}reinstated_at: '{at.isoformat()}', ")
        sheet.write_text("".join([*lines[:number], said, *lines[number + 1 :]]))
        load(tmp_path)  # nobody says when it is to hold
        if not still_to_come:
            load(tmp_path, now)
            continue
        with pytest.raises(ReferenceErrors) as found:
            load(tmp_path, now)
        (fault,) = found.value.faults
        assert fault.startswith(f"{sheet.name}:{number + 1}: ")
        assert f"{identity}: reinstated_at 2026-03-02T09:00:01+00:00 is still to come" in fault


def test_a_key_that_two_branches_have_is_told() -> None:
    """Each could hand in documents in the other's name."""
    doubled = [e.model_copy(update={"public_key": KEY}) if e.id in ("branch-01", "branch-02") else e for e in ENTRIES]
    assert [fault for fault in faults_of(doubled) if "public_key is that of branch-02 too" in fault]


def test_what_vendors_may_key_they_may_also_see() -> None:
    """The workbench refuses an outside person a crop that shows too much: no lawful field is cut so large."""
    assert VENDOR_AREA_MAX < SLICE_SHARE_MAX


@pytest.mark.long
def test_lists_without_end_are_told(tmp_path: Path) -> None:
    """A file that no reader can follow is refused like any other that is no YAML of ours."""
    assert told(tmp_path, "centres: " + "[" * 3_000 + "]" * 3_000)[0].startswith(
        "bank.yaml: expected lists and entries"
    )


def test_the_same_id_twice_is_told() -> None:
    """The later record would silently win on the bus."""
    assert "team:north-entry: defined 2 times; keep one" in faults_of([*ENTRIES, _entry("north-entry")])


@pytest.mark.parametrize("step", ["entry", "arbitration", "review", "authorisation", "inspection"])
def test_a_step_that_nobody_in_the_house_can_do_is_told(step: str) -> None:
    """Vendors do not count: a bank must be able to take its work back."""
    work_type = f"corporate-transfer/{step}"
    without = [
        entry.model_copy(update={"work_types": tuple(w for w in entry.work_types if w != work_type)})
        if isinstance(entry, Operator) and not entry.id.startswith("clearkey")
        else entry
        for entry in ENTRIES
    ]
    assert any(f"nobody in the house can do {work_type}" in fault for fault in faults_of(without))


def test_two_authorisers_of_one_team_are_not_two_teams() -> None:
    """The largest tier asks for different teams."""
    north = [
        entry.model_copy(update={"grade": 0})
        if isinstance(entry, Operator) and entry.team_id == "south-control"
        else entry
        for entry in ENTRIES
    ]
    assert any("authorisers of 2 teams, found 1" in fault for fault in faults_of(north))


def test_too_few_people_for_one_case_is_told() -> None:
    """Each step has somebody, but one person cannot be reviewer and authoriser of the same case."""
    kept = {"north-entry-12", "north-entry-01", "north-entry-13", "north-control-07"}
    few = [entry for entry in ENTRIES if not isinstance(entry, Operator) or entry.id in kept]
    one_tier = [
        entry.model_copy(update={"tiers": (Tier(below_minor=None, authorisers=1),), "inspection": False})
        if isinstance(entry, BusinessType)
        else entry
        for entry in few
        if not isinstance(entry, BusinessType) or entry.id == "corporate-transfer"
    ]
    faults = [fault for fault in faults_of(one_tier) if fault.startswith("business type")]
    (said,) = faults
    assert "one case can need 5 different people" in said
    assert "the house can seat 4" in said


@given(st.lists(st.lists(st.sampled_from("abcd"), unique=True), max_size=5))
@settings(max_examples=100)
def test_seating_is_as_good_as_trying_everything(wishes: Sequence[Sequence[str]]) -> None:
    """The oracle tries every choice of one person, or nobody, for each role."""
    best = max(
        len(people)
        for choice in itertools.product(*([*wish, ""] for wish in wishes))
        for people in [[person for person in choice if person]]
        if len(set(people)) == len(people)
    )
    assert most_seated(wishes) == best


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["t-1", "t-2", None])), max_size=20))
@settings(max_examples=100)
def test_the_index_by_team_is_what_the_operators_say(moves: list[tuple[str, str | None]]) -> None:
    """After any arrivals, moves and removals; folding a record twice changes nothing."""
    view, twice = ReferenceView(), ReferenceView()
    for identity, team in moves:
        entry = None if team is None else Operator(id=identity, name=identity, team_id=team, work_types=())
        view.fold(f"operator:{identity}", entry)
        twice.fold(f"operator:{identity}", entry)
        twice.fold(f"operator:{identity}", entry)
    members = {(team, person) for team, people in view.operators_by_team.items() for person in people}
    assert members == {(operator.team_id, operator.id) for operator in view.operators.values()}
    assert view == twice


def test_an_unknown_noun_changes_nothing() -> None:
    """A newer bank may publish kinds that this floor does not know."""
    view = ReferenceView()
    view.fold("holiday:new-year", None)
    assert view == ReferenceView()


def _entry(identity: str) -> ReferenceEntry:
    return next(entry for entry in ENTRIES if entry.id == identity)


@pytest.mark.parametrize(
    "text", ["centres: &c\n- {id: n, label: N, city: X}\nteams: []\n", "centres: [&l {a: 1}, *l]\n"]
)
def test_what_is_named_twice_and_ends_is_no_circle(tmp_path: Path, text: str) -> None:
    """An alias beside what it stands for is YAML as any other."""
    (tmp_path / "bank.yaml").write_text(text)
    assert read_document(tmp_path / "bank.yaml").root is not None


@pytest.mark.parametrize("alias", ["*a{below}", "{{<<: [*a{below}, *a{below}]}}"])
def test_a_few_lines_that_stand_for_more_than_any_memory_holds_are_refused(tmp_path: Path, alias: str) -> None:
    """An alias bomb: lists of lists, and merges of merges. It is told before anything is made of it."""
    levels = [f"- &a{n} [{', '.join([alias.format(below=n - 1)] * 9)}]" for n in range(1, 40)]
    (tmp_path / "bank.yaml").write_text("\n".join(["centres:", "- &a0 {id: n}", *levels]) + "\n")
    with pytest.raises(YamlUnfitError, match=r"bank.yaml: expected aliases \(\*\) to stand for at most 100,000 values"):
        read_document(tmp_path / "bank.yaml")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('id: n\nname: "Wang\\ud800Wei"\n', r"bank.yaml:2: expected whole characters, .* write the character itself"),
        ('"na\\udc00me": x\n', r"bank.yaml:1: expected whole characters"),
        ('id: "\\U00110000"\n', r"bank.yaml: expected YAML, found"),
        (
            "id: n\noperators: !!bool xx\n",
            r"bank.yaml:2: expected a value of the kind bool, found 'xx'; .* quote it without a tag",
        ),
        ("id: n\nsize: !!int ''\n", r"bank.yaml:2: expected a value of the kind int, found ''"),
        ("id: n\nsize: !!float ''\n", r"bank.yaml:2: expected a value of the kind float"),
        ("id: n\nat: !!timestamp soon\n", r"bank.yaml:2: expected a value of the kind timestamp, found 'soon'"),
        ("id: n\non: 2026-02-31\n", r"bank.yaml:2: expected a value of the kind timestamp, found '2026-02-31' \(day"),
    ],
)
def test_a_value_that_is_not_of_its_kind_is_refused_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    """What the library would answer with a traceback, or only without a place."""
    (tmp_path / "bank.yaml").write_text(text)
    with pytest.raises(YamlUnfitError, match=fault):
        read_document(tmp_path / "bank.yaml")


def test_whose_initial_standing_changes_nothing_is_told() -> None:
    """Who reads "published" after `suspended` would believe that nobody of these works any more."""
    judged = "north-entry-01", "clearkey-one-11"
    view, standing = ReferenceView(), StandingView()
    for entry in ENTRIES:
        view.fold(entry.key, entry)
    for operator_id in judged:
        told_of = OperatorStanding(
            operator_id=operator_id,
            provider_id="house",
            standing="allowed",
            inspected_share=0.1,
            keyed=40,
            errors=0,
            reason="Allowed.",
            since=datetime(2026, 5, 4, tzinfo=UTC),
        )
        fold_standing(standing, told_of.key, told_of)
    suspended = [
        entry.model_copy(update={"initial_standing": "suspended"}) if isinstance(entry, Operator) else entry
        for entry in ENTRIES
    ]
    assert judged_already(view, suspended, standing) == [f"operator {one} is allowed" for one in judged]
    assert judged_already(view, ENTRIES, standing) == [], "who changes nothing is told nothing"


def test_a_business_type_that_stays_keeps_its_people() -> None:
    """It is out of the folder and its people's qualifications with it: open cases of it would wait for nobody."""
    kept = [
        entry.model_copy(
            update={"work_types": tuple(w for w in entry.work_types if not w.startswith("cheque-deposit/"))}
        )
        if isinstance(entry, Operator)
        else entry
        for entry in ENTRIES
        if entry.id != "cheque-deposit"
    ]
    assert faults_of(kept) == [], "the folder alone shows nothing"

    def on_the_floor(entries: Sequence[ReferenceEntry]) -> ReferenceView:
        view = ReferenceView()
        for entry in entries:
            view.fold(entry.key, entry)
        return view

    lost = newly_unstaffed(on_the_floor(ENTRIES), kept, [])
    assert any("business type cheque-deposit: nobody in the house can do cheque-deposit/entry" in one for one in lost)
    left = [entry for entry in ENTRIES if isinstance(entry, Operator)]
    assert newly_unstaffed(on_the_floor(ENTRIES), [], left), "people who leave take it with them"
    staffed = [entry for entry in ENTRIES if entry.id != "cheque-deposit"]
    assert newly_unstaffed(on_the_floor(ENTRIES), staffed, []) == []
    already = on_the_floor([*kept, *(entry for entry in ENTRIES if entry.id == "cheque-deposit")])
    assert newly_unstaffed(already, kept, []) == [], "what was lost before bars nobody from mending the rest"
