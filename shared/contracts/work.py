"""The work order: one human task as it travels from controls over placement and desk to an operator."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from shared.contracts.message import Identity, Instant, Part, Region, Step
from shared.keyed_values import Form

DRAFT_CHARACTERS_MAX: Final = 500  # as long as a keyed value may be
DRAFT_AUTHORS_MAX: Final = 16


DECLARED: Final = "declared_amount"
"""The name under which the branch's own figure is shown, beside the fields of the template."""


class ShownField(Part):
    """A field and the values that the operator is shown for it."""

    name: Identity
    label: str
    values: tuple[str, ...] = ()


class Wanted(Part):
    """What a value must be to stand in the books. `currency` is that of an amount; `may_be_blank`: the page may say nothing."""

    form: Form
    currency: str
    may_be_blank: bool = False


class WorkOrder(Part):
    """Everything that routing and an operator need to know of one work item.

    Holds:   `work_item_id` is derived from case, step, slot and round; nobody in `excluded_operators`, no team in
             `excluded_teams`, no member of `branch_id` may do it; with `in_house_only` no outside vendor may.
    Units:   standard times in seconds; `due_at` is the case's due instant, slack counts `later_seconds` as well.
    """

    work_item_id: Identity
    case_id: Identity
    business_type: Identity
    step: Step
    role: Identity  # what nobody may hold two of on one case: entry-1, entry-2, arbitration, review, …
    round: Annotated[int, Field(ge=1)] = 1
    field: Identity | None = None
    slice: Region | None = None  # entry and arbitration: the only thing of the image that the operator may see
    whole_images: tuple[Identity, ...] = ()  # review, authorisation, inspection: image hashes, in-house only
    shown: tuple[ShownField, ...] = ()
    rekey_amount: bool = False
    wanted: Wanted | None = (
        None  # arbitration, inspection, a re-keyed amount: what is to stand; of earlier releases none
    )
    keeps_draft: bool = False  # what somebody keyed of it may pass to whoever has it next
    grade_min: Annotated[int, Field(ge=0)] = 0
    data_class: Identity = "internal"
    in_house_only: bool = True
    excluded_operators: tuple[Identity, ...] = ()
    excluded_teams: tuple[Identity, ...] = ()
    branch_id: Identity
    urgent: bool = False
    standard_seconds: Annotated[float, Field(gt=0)]
    later_seconds: Annotated[float, Field(ge=0)] = 0.0
    requested_at: Instant
    due_at: Instant
    traceparent: str = ""  # the W3C trace context that the case came with, so that its trace outlives people's commands

    @property
    def work_type(self) -> str:
        """What skills, standard times and queues hang on, for example `corporate-transfer/entry`."""
        return f"{self.business_type}/{self.step}"

    def to_json(self) -> bytes:
        """The order as it lies in facts and rows. Written out once for the fact and the row that a batch makes of it."""
        known = _written_out.get(id(self))
        return known[1] if known is not None else self._keep(self.__pydantic_serializer__.to_json(self))

    def came_in(self, body: bytes, behind: bytes) -> None:
        """Keep how the order stands in the body that it was read from, before the field that is named `behind` it: it goes
        on as it came.

        Holds:   a body in which anything else follows the order, or the last of its fields, is of another release: then
                 the order is written out anew. No value holds a field's name, as a quotation mark in a text is escaped.
        """
        trace = self.traceparent.encode()
        start = body.find(_BEFORE_ORDER)
        last = body.find(_LAST_OF_ORDER, start) + len(_LAST_OF_ORDER)
        if 0 <= start < last and body.startswith(b'%b"}%b' % (trace, behind), last):
            self._keep(body[start + len(_BEFORE_ORDER) : last + len(trace) + len(b'"}')])

    def _keep(self, written: bytes) -> bytes:
        if len(_written_out) == WRITTEN_OUT_MAX:
            _written_out.clear()
        _written_out[id(self)] = self, written
        return written


_BEFORE_ORDER: Final = b',"order":'
_LAST_OF_ORDER: Final = b'"traceparent":"'
WRITTEN_OUT_MAX: Final = 2_000
_written_out: Final[dict[int, tuple[WorkOrder, bytes]]] = {}  # by identity: who is kept here keeps it


def beside_order(order: WorkOrder, rest: bytes, before: bytes) -> bytes:
    """A body in JSON with its order, from the rest of it and the name of the field that the order stands before.

    Holds:   `before` is the first of its name in the rest: no value holds it, as a quotation mark in a text is escaped.
    """
    return rest.replace(before, b',"order":%b%b' % (order.to_json(), before), 1)


class Draft(Part):
    """What people keyed of one work item before it left their hands, for whoever has it next.

    Holds:   belongs to this item alone, so to one keying of one slice: nothing of it reaches the other keying.
             `authors` are all who keyed some of it, the last one last; `revision` counts what the author saved in their
             attempt. The value is a customer's: it is shown to whoever has the item in hand, and stands in no repr.
    """

    value: Annotated[str, Field(max_length=DRAFT_CHARACTERS_MAX, repr=False)]
    authors: Annotated[tuple[Identity, ...], Field(min_length=1, max_length=DRAFT_AUTHORS_MAX)]
    attempt: Annotated[int, Field(ge=1)]
    revision: Annotated[int, Field(ge=1)]
    saved_at: Instant


class KeyedValue(Part):
    """Entry: what the operator read in the slice."""

    form: Literal["keyed"] = "keyed"
    value: Annotated[str, Field(max_length=500)]


class ArbitrationRuling(Part):
    """Arbitration: the right value; when both keyings were wrong it is neither of them.

    Holds:   `unreadable` says, with an empty value, that nobody can read one on the page: the case ends, nobody erred.
    """

    form: Literal["ruling"] = "ruling"
    value: Annotated[str, Field(max_length=500)]
    unreadable: Annotated[bool, Field(strict=True)] = False


class ReviewVerdict(Part):
    """Review: the assembled case agrees with the image, or which fields do not."""

    form: Literal["review"] = "review"
    passed: Annotated[bool, Field(strict=True)]
    wrong_fields: tuple[Identity, ...] = ()
    remark: str = ""


class AuthorisationVerdict(Part):
    """Authorisation: granted or refused, with the amount re-keyed blind where the tier asks for it."""

    form: Literal["authorisation"] = "authorisation"
    granted: Annotated[bool, Field(strict=True)]
    rekeyed_amount: str | None = None
    remark: str = ""


class InspectionVerdict(Part):
    """Inspection: the value that the inspector reads in the slice."""

    form: Literal["inspection"] = "inspection"
    value: Annotated[str, Field(max_length=500)]


Outcome = Annotated[
    KeyedValue | ArbitrationRuling | ReviewVerdict | AuthorisationVerdict | InspectionVerdict,
    Field(discriminator="form"),
]
