"""The side panel: ranked causes with their reasons, and what the person said, to be taken back."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from .. import say
from ..consult import Consult
from ..engine.beliefs import OTHER, Belief
from ..visible import visible

MOST_CAUSES = 9
GLYPHS = {"confirmed": "!", "suspected": "?", "ruled_out": "-", "unknown": " "}


class Causes(Vertical):
    """Highlight a cause to read why; press Enter on something you said to take it back."""

    class Withdrawn(Message):
        """The person takes back a symptom."""

        def __init__(self, symptom: str) -> None:
            super().__init__()
            self.symptom = symptom

    def compose(self) -> ComposeResult:
        """Three parts: causes, why, told."""
        yield Static("Causes, likeliest first", classes="panel-title")
        yield OptionList(id="causes", markup=False)
        yield Static("", id="reasons", markup=False)
        yield Static("You told me (Enter takes back)", classes="panel-title", id="told-title")
        yield OptionList(id="told", markup=False)

    def show(self, consult: Consult) -> None:
        """Draw the beliefs of now."""
        self.consult = consult
        self.ranked = [b for b in consult.beliefs if b.id != OTHER][:MOST_CAUSES]
        causes = self.query_one("#causes", OptionList)
        at = causes.highlighted
        causes.clear_options()
        causes.add_options([Option(line(consult, b), id=b.id) for b in self.ranked])
        causes.highlighted = at if at is not None and at < len(self.ranked) else 0
        told = self.query_one("#told", OptionList)
        told.clear_options()
        told.add_options(
            [
                Option(Content(f"{visible(consult.kb.symptoms[s].statement, 60)}: {a}"), id=s)
                for s, a in consult.session.answers.items()
                if s in consult.kb.symptoms
            ]
        )
        self.query_one("#told-title").display = told.display = bool(told.option_count)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the reasons of the cause under the cursor."""
        if event.option_list.id == "causes" and event.option_index < len(self.ranked):
            self.query_one("#reasons", Static).update(reasons(self.consult, self.ranked[event.option_index]))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take back what was said."""
        if event.option_list.id == "told" and event.option.id:
            self.post_message(self.Withdrawn(event.option.id))


def line(consult: Consult, belief: Belief) -> Content:
    """A cause: mark, probability, name, status in a word."""
    style = {"confirmed": "bold $error", "suspected": "bold $warning", "ruled_out": "$text-muted"}.get(
        belief.status, ""
    )
    status = "" if belief.status == "unknown" else f" · {say.STATUS_WORDS[belief.status]}"
    name = visible(say.name_of(consult.kb, belief.id), 32 if belief.status == "unknown" else 22)
    return Content.assemble(
        f"{GLYPHS[belief.status]} {say.percent(belief.probability):>5} ", (name, style), (status, "$text-muted")
    )


def reasons(consult: Consult, belief: Belief) -> Content:
    """Why a cause is where it is."""
    strongest = sorted(belief.reasons, key=lambda r: -abs(r.nats))[:4]
    lines = [f"· {say.reason_text(consult.kb, r)}" for r in strongest] or ["· nothing yet: its base rate"]
    return Content.assemble((say.name_of(consult.kb, belief.id), "bold"), "\n" + "\n".join(lines))
