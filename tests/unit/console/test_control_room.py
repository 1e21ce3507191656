"""The control room's pages without a browser: whom they ask, who sits there, what is in time, what the form means."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import TypeAdapter

from opsfloor.console.command import doors
from opsfloor.console.control import routing as asking
from opsfloor.console.control.charts import KINDS_MAX, before_and_after, in_words, telling
from opsfloor.console.control.draft import A_LOOK, Draft, UnfinishedError
from opsfloor.console.control.frame import FIRST
from opsfloor.console.control.hour import SHORTEST, SPAN, Hour
from opsfloor.console.control.people import People, Person
from opsfloor.console.control.routing import RefusedError, Routing, RoutingAwayError, SignedOutError
from opsfloor.console.control.sign_in import safe
from services.routing.emergency.glance import DutyView, FloorGlance, PlaceGlance
from shared.contracts.reroute import BREAK_GLASS_MINUTES_MAX, SkillForecast

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
ZONE = "Asia/Shanghai"
NAMES = TypeAdapter(list[str])
DONE = {"command_id": "c", "reroute_id": "r1", "code": "done", "detail": "Done."}

Answering = Callable[[httpx.Request], httpx.Response]


def at(answering: Answering, *doors: str) -> Routing:
    """Routing behind these doors."""
    return Routing(lambda: doors or ("http://one",), httpx.MockTransport(answering))


def problem(status: int, code: str) -> httpx.Response:
    """A refusal of routing's."""
    return httpx.Response(status, json={"code": code, "detail": f"Expected no {code}."})


# ----------------------------------------------------------------------- routing


async def test_the_next_door_is_tried_when_one_is_closed() -> None:
    """A routing process that was killed is not the end of the page; with all of them gone the page is told."""

    def answering(request: httpx.Request) -> httpx.Response:
        if request.url.host == "one":
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=["x"]) if request.url.host == "two" else problem(503, "dependency_away")

    assert await at(answering, "http://one", "http://three", "http://two").ask("/x", "t", NAMES) == ["x"]
    with pytest.raises(RoutingAwayError, match="http://three cannot answer: Expected no dependency_away"):
        await at(answering, "http://one", "http://three").ask("/x", "t", NAMES)
    with pytest.raises(RoutingAwayError, match="opsfloor run routing"):
        await Routing(lambda: ()).ask("/x", "t", NAMES)


async def test_a_silent_broker_is_told_in_words_for_people() -> None:
    """What routing says of it is for programs: nobody at a page has a key to send anything under."""
    silent = "found that it says nothing: send it under the same Idempotency-Key"
    answer = httpx.Response(503, json={"code": "broker_silent", "detail": silent})
    with pytest.raises(RoutingAwayError) as away:
        await at(lambda _: answer).ask("/x", "t", NAMES)
    assert str(away.value).endswith("cannot answer: the broker has not said in time whether it took the command")


def test_the_doors_are_the_one_named_or_all_that_answer_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes of processes that are gone are passed over; a process that comes later is found without a new start."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    assert doors("http://named/") == ["http://named"]
    assert doors("") == []
    notes = tmp_path / "run"
    notes.mkdir()
    for name, pid in (("routing", os.getpid()), ("routing", 2**22 + 1), ("audit", os.getpid())):
        note = {"service": name, "pid": pid, "url": f"http://{name}-{pid}"}
        (notes / f"{name}-{pid}.json").write_text(json.dumps(note))
    assert doors("") == [f"http://routing-{os.getpid()}"]


async def test_a_refusal_is_routings_own_sentence() -> None:
    """A token that holds no more is another matter than a no."""
    with pytest.raises(RefusedError, match="Expected no own_proposal") as refused:
        await at(lambda _: problem(403, "own_proposal")).ask("/x", "t", NAMES)
    assert refused.value.code == "own_proposal"
    with pytest.raises(SignedOutError, match="token_expired"):
        await at(lambda _: problem(401, "token_expired")).ask("/x", "t", NAMES)
    with pytest.raises(RoutingAwayError, match="another form"):
        await at(lambda _: httpx.Response(200, json={"x": 1})).ask("/x", "t", NAMES)


async def test_a_command_is_one_command_however_often_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routing dies, answers late, then answers: the same key each time, the person's own token each time."""
    monkeypatch.setattr(asking, "AGAIN_SECONDS", 0.0)
    heard: list[tuple[str, str]] = []

    def answering(request: httpx.Request) -> httpx.Response:
        heard.append((request.headers["Idempotency-Key"], request.headers["Authorization"]))
        if len(heard) == 1:
            raise httpx.ReadError("killed")
        return (
            httpx.Response(202, json=DONE | {"code": "pending"}) if len(heard) == 2 else httpx.Response(200, json=DONE)
        )

    waits: list[str] = []
    answer = await at(answering).tell("/reroutes/r1/end", "mine", {"reason": "x"}, "k-1", waits.append)
    assert answer.code == "done"
    assert ["does not answer" in waits[0], "has not answered yet" in waits[1], len(waits)] == [True, True, 2]
    assert len(heard) == 3
    assert {*heard} == {(heard[0][0], "Bearer mine")}


async def test_a_command_that_nobody_answers_is_not_called_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting has an end, and what is told then is no yes and no no."""
    monkeypatch.setattr(asking, "TELL_SECONDS", 0.0)
    with pytest.raises(RoutingAwayError, match="has not answered yet"):
        await at(lambda _: httpx.Response(202, json=DONE | {"code": "pending"})).tell("/x", "t", {}, "k-1")


# ------------------------------------------------------------------------ people


def person(name: str, ends: datetime) -> Person:
    """Somebody with a token until then."""
    return Person(
        f"token-of-{name}",
        DutyView(
            subject=name,
            role="viewer",
            expires_at=ends,
            name=None,
            proposes=False,
            approves=False,
            breaks_glass=False,
            centres=(),
            providers=(),
        ),
    )


def test_who_sits_at_a_browser_is_forgotten_when_the_token_ends() -> None:
    """Or when they sign out; somebody else who signs in there takes the place."""
    now = [NOW]
    people = People(lambda: now[0])
    people.sign_in("b1", person("lin", NOW + timedelta(hours=1)))
    people.sign_in("b2", person("chen", NOW + timedelta(hours=9)))
    assert people.at("b1") is not None
    assert people.at("another") is None
    now[0] += timedelta(hours=2)
    assert people.at("b1") is None
    people.sign_in("b2", person("mo", NOW + timedelta(hours=9)))
    found = people.at("b2")
    assert found is not None
    assert found.duty.subject == "mo"
    people.sign_out("b2")
    assert people.at("b2") is None


@pytest.mark.parametrize(
    "then", ["https://elsewhere.example", "//elsewhere.example", "/controlled", "/control/sign-in?next=x", "", "/"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(then: str) -> None:
    """A link that somebody was lured to leads to the first page."""
    assert safe(then) == FIRST
    assert safe("/control/orders/r-1") == "/control/orders/r-1"


# -------------------------------------------------------------------------- hour


def floor_at(minutes: float, completed: int, late: int) -> FloorGlance:
    """The floor with one team that has counted so much."""
    team = PlaceGlance(
        id="north",
        label="North",
        centre_id="n",
        provider_id="house",
        present=1,
        in_hand=0,
        queued=0,
        oldest_requested_at=None,
        backlog_seconds=0.0,
        saturation=0.0,
        completed=completed,
        late=late,
        promised=(0.95, 0.99),
        held_percent=0,
        held_partly=False,
        reroutes=(),
        told_at=NOW,
        silent=False,
    )
    return FloorGlance(at=NOW + timedelta(minutes=minutes), time_zone=ZONE, centres=(), teams=(team,), work=())


def test_in_time_is_told_of_the_last_hour_once_there_is_one() -> None:
    """Before that, of all that was ever counted; what lies longer back than an hour counts no more."""
    hour = Hour()
    looks = [floor_at(minute, 1_000 + 10 * minute, 100 + (minute if minute > 60 else 0)) for minute in range(121)]
    hour.note(looks[0])
    assert hour.on_time(looks[0]).since is None
    assert hour.on_time(looks[0]).completed == 1_000
    for look in looks[1:]:
        hour.note(look)
    found = hour.on_time(looks[-1])
    assert found.since == looks[-1].at - SPAN
    assert (found.completed, found.late) == (600, 120)
    assert found.share == pytest.approx(0.8)
    assert hour.on_time(looks[-1], ["elsewhere"]).share is None


def test_another_floor_is_not_compared_with_the_one_before() -> None:
    """Counts that go back mean that the desks count anew."""
    hour = Hour()
    hour.note(floor_at(0, 1_000, 0))
    hour.note(floor_at(2 * SHORTEST.total_seconds() / 60, 3, 3))
    assert hour.on_time(floor_at(60, 4, 3)).completed == 4 - 3


# ------------------------------------------------------------------------- draft


def filled() -> Draft:
    """A form that can be proposed."""
    draft = Draft(reason=" smoke ", minutes="45")
    draft.name("centres", "north", True)
    return draft


def test_the_form_becomes_the_terms() -> None:
    """A percentage only for a shift; a local start is an instant; a name taken back is not named."""
    draft = filled()
    draft.name("teams", "x", True)
    draft.name("teams", "x", False)
    draft.starts_at = "2026-03-02T14:00"
    terms = draft.terms(ZONE)
    assert (terms.effect, terms.percent, terms.minutes, terms.reason) == ("drain", 100, 45, "smoke")
    assert (terms.scope.centres, terms.scope.teams) == (("north",), ())
    assert terms.starts_at == datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    draft.effect = "shift"
    assert draft.terms(ZONE).percent == 50


def test_a_look_needs_no_reason() -> None:
    """What it would do is shown before anybody has said why."""
    draft = filled()
    draft.reason = ""
    assert draft.look(ZONE).reason == A_LOOK
    with pytest.raises(UnfinishedError, match="Say why"):
        draft.terms(ZONE)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("scope", {}, "Name a place"),
        ("minutes", "", "from 1 to 4320, found nothing"),
        ("minutes", "0", "from 1 to 4320"),
        ("minutes", "an hour", "found an hour"),
        ("minutes", "²", "from 1 to 4320"),
        ("starts_at", "noon", "a day and a time"),
        ("reason", "x" * 501, "500 characters"),
    ],
)
def test_what_is_missing_is_said(field: str, value: object, says: str) -> None:
    """In a sentence that tells what to do."""
    draft = filled()
    setattr(draft, field, value)
    with pytest.raises(UnfinishedError, match=says):
        draft.terms(ZONE)


@pytest.mark.parametrize(
    ("field", "value"),
    [("minutes", str(BREAK_GLASS_MINUTES_MAX + 1)), ("drill", True), ("starts_at", "2026-03-02T14:00")],
)
def test_a_broken_glass_is_short_and_in_earnest(field: str, value: object) -> None:
    """The form says so before routing has to."""
    draft = filled()
    draft.break_glass, draft.minutes = True, str(BREAK_GLASS_MINUTES_MAX)
    assert draft.terms(ZONE).minutes == BREAK_GLASS_MINUTES_MAX
    setattr(draft, field, value)
    with pytest.raises(UnfinishedError, match="broken glass"):
        draft.terms(ZONE)


# ------------------------------------------------------------------------- chart


def skill(name: str, before: float | None, after: float | None, queued: int = 10) -> SkillForecast:
    """What becomes of one work type."""
    return SkillForecast(
        work_type=name,
        moves=queued,
        queued=queued,
        people_without=1,
        people_with=0 if after is None else 1,
        wait_seconds_without=before,
        wait_seconds_with=after,
        misses_without=0,
        misses_with=0,
        dead_end=after is None,
    )


def test_the_chart_shows_before_and_after_apart_by_pattern_and_in_words() -> None:
    """Not by colour alone; who waits for ever fills the width, and says so."""
    skills = [skill("a/entry", 60, 180), skill("b/entry", 120, None)]
    without, with_it = before_and_after(skills, 12)["series"]
    assert [one["value"] for one in without["data"]] == [1, 2]
    assert [one["label"]["formatter"] for one in with_it["data"]] == ["3", "for ever"]
    assert with_it["data"][1]["value"] > with_it["data"][0]["value"]
    assert without["itemStyle"]["decal"] is None
    assert with_it["itemStyle"]["decal"] is not None
    assert "b/entry 2 minutes, with it for ever" in in_words(skills)


def test_the_chart_has_room_for_what_changes_most() -> None:
    """A dead end is never left out; where nothing waits and somebody is left there is nothing to draw."""
    skills = [skill(f"{n:02d}/entry", 60, 60 + n) for n in range(20)]
    skills += [skill("dead/entry", 60, None, queued=0), skill("quiet/entry", 60, 900, queued=0)]
    shown = [one.work_type for one in telling(skills)]
    assert len(shown) == KINDS_MAX
    assert "dead/entry" in shown
    assert "19/entry" in shown
    assert "quiet/entry" not in shown
