"""A table that is renewed in place: who reads it, or stands in it with the keyboard, keeps the place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nicegui import ui

from opsfloor.console.elements import Words, badge, words
from opsfloor.console.words import Verdict

FIGURE_MAX: Final = 24  # characters; what is so short stands in one line


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell. Shape: words, a verdict's word beside them, an address that the words lead to, and more words
    in a fold behind how many they are."""

    text: str
    verdict: Verdict = ""
    word: str = ""
    link: str = ""
    folded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a sheet. Holds: the same `key` is the same line; the first cell names it."""

    key: str
    cells: tuple[Cell, ...]


class Sheet:
    """A table with a caption. Holds: a cell that does not change is not touched."""

    def __init__(self, caption: str, columns: Sequence[str], empty: str) -> None:
        self._columns: Final = tuple(columns)
        self._lines: Final[dict[str, tuple[ui.element, list[tuple[Cell, ui.element]]]]] = {}
        self._order: list[str] = []
        words("h2", caption)
        self._empty: Final = words("p", empty).classes("empty")
        self._region: Final = ui.element("div").classes("sheet").props("role=region tabindex=0")
        self._region.props["aria-label"] = caption
        # The roles are said, since on a telephone a line is laid out as a card and would lose them.
        with self._region, ui.element("table").props("role=table"):
            with ui.element("thead").props("role=rowgroup"), ui.element("tr").props("role=row"):
                for column in columns:
                    words("th", column).props("scope=col role=columnheader")
            self._body: Final = ui.element("tbody").props("role=rowgroup")
        self._region.set_visibility(False)

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines, in this order."""
        wanted = [line.key for line in lines]
        for key in [key for key in self._order if key not in wanted]:
            self._lines.pop(key)[0].delete()
            self._order.remove(key)
        for index, line in enumerate(lines):
            self._place(line, index)
            self._renew(line)
        self._empty.set_visibility(not lines)
        self._region.set_visibility(bool(lines))

    def _place(self, line: Line, index: int) -> None:
        if line.key not in self._lines:
            with self._body, ui.element("tr").props("role=row") as row:
                cells = [(Cell(""), self._cell(column)) for column in range(len(line.cells))]
            self._lines[line.key] = (row, cells)
            self._order.append(line.key)
        if self._order[index] != line.key:
            self._order.remove(line.key)
            self._order.insert(index, line.key)
            self._lines[line.key][0].move(target_index=index)

    def _cell(self, column: int) -> ui.element:
        cell = ui.element("td" if column else "th").props("role=cell" if column else "role=rowheader scope=row")
        cell.props["data-column"] = self._columns[column]
        return cell

    def _renew(self, line: Line) -> None:
        shown = self._lines[line.key][1]
        for column, cell in enumerate(line.cells):
            before, element = shown[column]
            if cell != before:
                shown[column] = (cell, element)
                element.clear()
                with element:
                    _fill(cell)


def _fill(cell: Cell) -> None:
    if cell.link:
        with ui.link(target=cell.link):
            _text(cell.text)
    elif cell.text:
        _text(cell.text)
    if cell.folded:
        with ui.element("details"):
            words("summary", f"and {len(cell.folded)} more")
            words("span", ", ".join(cell.folded))
    if cell.word:
        badge(cell.verdict, cell.word)


def _text(text: str) -> Words:
    return words("span", text).classes("figure" if len(text) <= FIGURE_MAX else "")
