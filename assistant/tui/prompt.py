"""Where the person answers: the question, its numbered quick answers, and a line to type on."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ..engine.reply import Choice
from ..visible import visible, visible_lines
from .paths import PathSuggester, completed, matches


class Prompt(Vertical):
    """Posts `Line` for what is typed and `Picked` for a quick answer."""

    class Line(Message):
        """A typed line."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Picked(Message):
        """A quick answer, by key or by mouse."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self) -> None:
        super().__init__()
        self.offered: tuple[Choice, ...] = ()
        self.instant = False

    def compose(self) -> ComposeResult:
        """Question, choices, input, hint."""
        yield Static("", id="question", markup=False)
        yield OptionList(id="choices", markup=False)
        yield Answer(placeholder="loading ...", suggester=PathSuggester(), id="answer")
        yield Static("", id="hint", markup=False)

    def ask(self, question: str, offered: tuple[Choice, ...], placeholder: str, instant: bool) -> None:
        """Put a question. `instant`: a digit on an empty line answers at once."""
        self.offered, self.instant = offered, instant
        self.query_one("#question", Static).update(Content(visible_lines(question, 800)))
        choices = self.query_one("#choices", OptionList)
        choices.clear_options()
        choices.add_options([Option(Content(f"{c.number} {visible(c.text, 90)}"), id=str(c.number)) for c in offered])
        choices.display = bool(offered)
        answer = self.query_one("#answer", Input)
        answer.placeholder = placeholder
        answer.value = ""
        answer.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        text = event.value.strip()
        if text:
            self.query_one("#answer", Input).value = ""
            self.post_message(self.Line(text))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what a path can become."""
        typed = event.value
        found = matches(typed) if typed and " " not in typed and (typed[0] in "/~." or "/" in typed) else []
        names = "  ".join(
            visible(m.rstrip("/").rpartition("/")[2] + ("/" if m.endswith("/") else ""), 24) for m in found[:8]
        )
        self.query_one("#hint", Static).update(Content(f"Tab completes: {names}" if found else ""))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click or Enter on a choice."""
        event.stop()
        self.pick(int(event.option.id or 0))

    def pick(self, number: int) -> bool:
        """Answer by number; whether there is such an answer."""
        choice = next((c for c in self.offered if c.number == number), None)
        if choice:
            self.post_message(self.Picked(choice))
        return choice is not None


class Answer(Input):
    """The input line: Tab completes a path, a digit on an empty line picks, `?` on an empty line asks for help."""

    async def on_key(self, event: events.Key) -> None:
        """Keys that mean something else than text."""
        prompt = self.parent
        assert isinstance(prompt, Prompt)
        if event.key == "tab" and self.value:
            event.prevent_default()
            event.stop()
            self.value = completed(self.value)
            self.cursor_position = len(self.value)
        elif not self.value and event.character and event.character.isdigit() and prompt.instant:
            if prompt.pick(int(event.character)):
                event.prevent_default()
                event.stop()
        elif not self.value and event.character == "?":
            event.prevent_default()
            event.stop()
            await self.run_action("app.help")
