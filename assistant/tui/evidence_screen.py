"""Everything that was measured: a list of findings, and the chosen one with its plot and its table."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text as RichText
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import DataTable, Footer, OptionList, Static
from textual.widgets.option_list import Option

from probes.finding import Cell, Finding, Mark, Table

from .. import say
from ..consult import Consult
from ..faces.bars import bar, log_lengths
from ..faces.plain import BAR, plot_lines
from ..visible import figure, visible
from .content import content

MOST_ROWS = 2000


class EvidenceScreen(Screen[None]):
    """Findings at the left, one of them in full at the right."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f3,q", "dismiss", "Back"),
        Binding("f1,question_mark", "app.help", "Help", key_display="?"),
    ]

    def __init__(self, consult: Consult) -> None:
        super().__init__()
        self.consult = consult
        self.findings = say.telling(consult.session.findings.values())

    def compose(self) -> ComposeResult:
        """List, detail, footer."""
        with Horizontal():
            yield OptionList(*(Option(label(f), id=f.probe) for f in self.findings), id="findings", markup=False)
            with VerticalScroll(id="detail"):
                yield Static("Nothing has been measured yet.", id="words", markup=False)
                yield Static("", id="plots", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """The first finding, focused."""
        if self.findings:
            self.query_one("#findings", OptionList).focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the finding under the cursor."""
        if event.option_list.id == "findings":
            self.show(self.findings[event.option_index])

    def show(self, finding: Finding) -> None:
        """One finding in full."""
        detail = self.query_one("#detail", VerticalScroll)
        columns = max(40, detail.size.width - 4)
        self.query_one("#words", Static).update(content(say.finding(self.consult.kb, finding, figures=False), columns))
        plots = [line for p in finding.plots for line in ["", *plot_lines(p, columns, fine=True)]]
        self.query_one("#plots", Static).update(Content("\n".join(plots)))
        detail.query(DataTable).remove()
        detail.query(".table-title, .table-note").remove()
        for table in finding.tables:
            detail.mount(Static(Content(visible(table.title)), classes="table-title"), data_table(table))
            if table.note:
                detail.mount(Static(Content(visible(table.note, 400)), classes="table-note"))
        detail.scroll_home(animate=False)


def label(finding: Finding) -> Content:
    """A finding in the list: its worst verdict and its name."""
    order = ("confirmed", "suspected", "ruled_out", "inconclusive")
    spoken = {v.verdict for v in finding.verdicts}
    worst = next((say.VERDICT_WORDS[w] for w in order if w in spoken), finding.status.replace("-", " "))
    return Content.assemble((finding.probe, "bold"), "\n  ", (worst, "$text-muted"))


def cell(value: Cell, mark: Mark, drawn: str = "") -> RichText:
    """One cell, numbers to the right, in the colour of its mark, with a bar behind it if it is to be drawn."""
    style = {"": "", "!": "yellow", "!!": "bold red"}[mark]
    return RichText(figure(value) + mark + drawn, style, justify="left" if isinstance(value, str) else "right")


def data_table(table: Table) -> DataTable[RichText]:
    """The rows of a finding's table. Cells are Rich texts: a plain string would be read as markup."""
    made: DataTable[RichText] = DataTable(cursor_type="row", zebra_stripes=True)
    marks = 2 if table.marks else 0
    widths = [
        max([len(c), *(marks + len(figure(r[i])) for r in table.rows[:MOST_ROWS])]) for i, c in enumerate(table.columns)
    ]
    for j, (name, width) in enumerate(zip(table.columns, widths, strict=True)):
        made.add_column(RichText(visible(name)), width=min(36, width) + (BAR + 1 if j == table.bar else 0))
    bars = [" " + bar(length, BAR, fine=True) for length in log_lengths(table)] or [""] * len(table.rows)
    for i, row in enumerate(table.rows[:MOST_ROWS]):
        cells = (cell(v, table.mark(i, j), bars[i] if j == table.bar else "") for j, v in enumerate(row))
        made.add_row(*cells)
    made.styles.height = min(2 + len(table.rows), 20)
    return made
