"""The FAQ, searched as one types."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Markdown, OptionList
from textual.widgets.option_list import Option

from .. import entry_text
from ..consult import Consult
from ..visible import visible, visible_lines


class SearchScreen(Screen[None]):
    """Type to search; down to the hits; Enter reads one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f4", "dismiss", "Back"),
        Binding("down", "to_hits", "To the hits", show=False),
        Binding("f1", "app.help", "Help"),
    ]

    def __init__(self, consult: Consult) -> None:
        super().__init__()
        self.consult = consult

    def compose(self) -> ComposeResult:
        """Input, hits, entry."""
        query = Input(placeholder="search the FAQ: an error message, a symptom, a word", id="query")
        query.cursor_blink = False
        yield query
        with Horizontal():
            yield OptionList(id="hits", markup=False)
            with VerticalScroll(id="entry"):
                yield Markdown("", open_links=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one("#query", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search at every letter: a query takes milliseconds."""
        hits = self.consult.index.search(event.value, n=12) if event.value.strip() else []
        found = self.query_one("#hits", OptionList)
        found.clear_options()
        for hit in hits:
            title = Content.assemble((visible(hit.title), "bold"), "\n", (visible(hit.snippet, 110), "$text-muted"))
            found.add_option(Option(title, id=hit.id))
        if not hits and event.value.strip():
            found.add_option(Option(Content("I do not know: nothing fits."), disabled=True))

    def action_to_hits(self) -> None:
        """From the line to the list."""
        self.query_one("#hits", OptionList).focus()

    def on_input_submitted(self) -> None:
        """Enter on the line opens the best hit."""
        hits = self.query_one("#hits", OptionList)
        if hits.option_count and (first := hits.get_option_at_index(0)).id:
            self.open(first.id)

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a hit."""
        if event.option.id:
            self.open(event.option.id)

    def open(self, id: str) -> None:
        """Read an entry."""
        entry = self.consult.kb.entries[id]
        source = visible_lines(entry_text.entry_markdown(self.consult.kb, entry), 100_000)
        self.query_one(Markdown).update(source)
        scroll = self.query_one("#entry", VerticalScroll)
        scroll.scroll_home(animate=False)
        scroll.focus()
