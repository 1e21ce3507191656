"""What the world knows and the floor must find out: the true values of every document."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.runtime.processor import derived_id


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it really is. `illusion` is what people read when the scan is bad."""

    values: dict[str, str]
    illusion: dict[str, str]
    bad_scan: bool


@dataclass(slots=True)
class Truth:
    """Documents by case: the case's id follows from the submission's, so the world knows it beforehand."""

    documents: dict[str, Document] = field(default_factory=dict)

    def remember(self, submission_id: str, document: Document) -> None:
        self.documents[derived_id("case", submission_id)] = document

    def of(self, case_id: str) -> Document | None:
        return self.documents.get(case_id)
