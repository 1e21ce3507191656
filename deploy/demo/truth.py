"""What the world knows and the floor must find out: the true values of every document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.runtime.processor import derived_id


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it really is. `illusion` is what people read when the scan is bad; `amount` as it is written."""

    values: dict[str, str]
    illusion: dict[str, str]
    bad_scan: bool
    amount: str | None = None


UNKNOWN: Final = Document({}, {}, bad_scan=False)
"""A document that this world did not hand in: nobody can read it."""


@dataclass(slots=True)
class Truth:
    """Documents by case: the case's id follows from the submission's, so the world knows it beforehand."""

    documents: dict[str, Document] = field(default_factory=dict)

    def remember(self, submission_id: str, document: Document) -> None:
        """The document that a submission hands in."""
        self.documents[derived_id("case", submission_id)] = document

    def of(self, case_id: str) -> Document:
        """The document behind a case."""
        return self.documents.get(case_id, UNKNOWN)
