"""Help: what can be done now; Enter does it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

ACTIONS = (
    ("?", "", "this list"),
    ("1 2 3", "", "yes, no, not sure; other answers count from 4"),
    ("type", "", "your own words, or a path to a run folder, checkpoint or log (Tab completes)"),
    ("F2", "toggle_causes", "show or hide the causes and what you told me"),
    ("F3", "evidence", "read everything that was measured: tables per layer, plots"),
    ("F4", "search", "search the FAQ"),
    ("F6", "save_report", "write a report (Markdown) into the current folder"),
    ("F7", "cancel", "stop the measurement that is running"),
    ("F8", "undo", "take back the last thing you told me (or type: back)"),
    ("why", "why", "why the question is asked (or type: why)"),
    ("skip", "skip", "leave the question out (or type: skip)"),
    ("Ctrl+Q", "quit", "leave; everything is kept, nn-doctor --resume goes on"),
)


class HelpScreen(ModalScreen[str]):
    """A list of what can be done; choosing a line returns its action."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,question_mark", "dismiss('')", "Back")]

    def compose(self) -> ComposeResult:
        """Title and list."""
        yield Static("What you can do here (Enter does it, Esc goes back)", id="help-title", markup=False)
        yield OptionList(
            *(
                Option(Content.assemble((f"{key:8}", "bold"), what), id=str(i))
                for i, (key, _, what) in enumerate(ACTIONS)
            ),
            id="help",
            markup=False,
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Do it."""
        self.dismiss(ACTIONS[event.option_index][1])
