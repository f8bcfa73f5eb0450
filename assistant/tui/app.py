"""The screen: conversation at the left, causes at the right, the question below.

The consultation is built after the first paint, and everything that waits (opening files, probes) runs in a thread;
torch is never imported here. Widgets are drawn from the session, never from their own memory.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Footer, Static
from textual.worker import Worker as Job
from textual.worker import WorkerState

from probes.finding import Finding

from .. import say
from ..commands.common import consult as new_consult
from ..commands.common import worker as new_worker
from ..commands.opening import begin, resumed_name, session_name
from ..consult import Consult, Note
from ..engine.reply import Choice, Reply, read
from ..engine.steps import FILES, Ask, Diagnosis, End, Measure, Request
from ..errors import Refused
from ..faces.markdown import render as markdown
from ..faces.plain import render
from ..progress import Bar
from ..store import SessionFile, find, recent
from ..visible import visible, visible_lines
from ..words import Block, Text
from .causes import Causes
from .content import Page
from .evidence_screen import EvidenceScreen
from .help_screen import HelpScreen
from .prompt import Prompt
from .search_screen import SearchScreen

MOST_TURNS = 120
"""Widgets kept in the conversation; older ones are in the report and in the session file."""

BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-wide")]
"""Classes of the screen by its columns."""

PLACEHOLDERS = {FILES: "path of a run folder, checkpoint or log (Tab completes)"}


class DoctorApp(App[None]):
    """One conversation. `consult` is there once `ready` is set."""

    CSS_PATH = "doctor.tcss"
    TITLE = "nn-doctor"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", key_display="?", priority=True),
        Binding("f3", "evidence", "Evidence"),
        Binding("f4", "search", "Search"),
        Binding("f2", "toggle_causes", "Causes"),
        Binding("f8", "undo", "Back"),
        Binding("f7", "cancel", "Stop", show=False),
        Binding("f6", "save_report", "Report"),
        Binding("ctrl+q", "quit", "Quit", priority=True),
    ]

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__()
        self.args = args
        self.process = new_worker(args)
        self.process.on_progress = Bar(lambda line: self.call_from_thread(self.progress, line), quiet=0.5)
        self.consult: Consult | None = None
        self.busy = False
        if os.environ.get("NO_COLOR"):
            self.theme = "ansi-dark"

    def compose(self) -> ComposeResult:
        """Only cheap widgets: this is the first paint."""
        yield Static("nn-doctor", id="top", markup=False)
        with Horizontal(id="body"):
            yield VerticalScroll(id="talk")
            yield Causes()
        yield Static("", id="progress", markup=False)
        yield Prompt()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Paint first, load then."""
        self.query_one("#talk", VerticalScroll).anchor()
        self.query_one("#answer").focus()
        self.call_after_refresh(self.start, self.load, "load")

    # work that waits, in threads

    def start(self, job: Callable[[], object], name: str) -> None:
        """Run a job in a thread; its result arrives in `on_worker_state_changed`."""
        self.busy = True
        self.run_worker(job, name=name, thread=True, exit_on_error=False, exclusive=True, group="job")

    def load(self) -> list[Note]:
        """Knowledge base, index, the files of the command line."""
        consult = new_consult(self.args, self.process, SessionFile(session_name(self.args)))
        notes = begin(consult, self.args)
        self.consult = consult
        return notes

    def on_worker_state_changed(self, event: Job.StateChanged) -> None:
        """A job ended."""
        if event.state not in (WorkerState.SUCCESS, WorkerState.ERROR) or event.worker.group != "job":
            return
        self.busy = False
        self.progress("")
        if event.state == WorkerState.ERROR:
            self.failed(event.worker.error)
            return
        result = event.worker.result
        if event.worker.name in ("load", "resume"):
            self.welcome()
        if isinstance(result, Finding):
            self.show_finding(result)
        for note in result if isinstance(result, list) else []:
            self.note(note)
        self.advance()

    def failed(self, error: BaseException | None) -> None:
        """A job that could not be done: before there is a conversation it ends the program, later it is told."""
        if self.consult is None:
            self.exit(return_code=2, message=f"nn-doctor: {visible_lines(error, 2000)}")
            return
        self.say(Text(f"That failed inside nn-doctor: {visible_lines(error, 400)}. The conversation goes on.", "error"))
        if isinstance(self.consult.step, Measure):
            self.consult.reply(Reply(command="skip"))
        self.advance()

    # the conversation

    def welcome(self) -> None:
        """A first line, what was said in the session so far, and earlier conversations that can be resumed."""
        consult = self.consult
        assert consult is not None
        for text in consult.session.said:
            self.said(text) if text else None
        if consult.session.findings:
            for finding in consult.session.findings.values():
                self.show_finding(finding)
        if consult.session.events:
            return
        self.say(Text("I ask, then measure on what you saved. Nothing leaves this machine."))
        for saved in [s for s in recent(6) if s.unfinished][:3]:
            about = next((t for t in saved.session.said if t), "") or ", ".join(saved.session.paths)
            self.say(
                Text(
                    f"Unfinished from {saved.when:%Y-%m-%d %H:%M}: {visible(about, 60)}   resume {saved.name}", "muted"
                )
            )

    def advance(self) -> None:
        """Show the step of now; go on by itself where no answer is needed."""
        consult = self.consult
        if consult is None or self.busy:
            return
        self.query_one(Causes).show(consult)
        self.query_one("#top", Static).update(Content(self.top_line(consult)))
        step = consult.step
        match step:
            case Measure():
                self.progress(f"{consult.question()} ...")
                self.ask("Measuring. You can read on: F3 shows what was measured, F7 stops.", ())
                self.start(lambda: consult.measure(step), "measure")
            case Diagnosis(belief=belief):
                self.say(*consult.diagnosis(belief))
                consult.shown()
                self.advance()
            case End():
                if not consult.session.closed:
                    self.say(*consult.conclusion())
                    consult.shown()
                self.ask("That is the result. Say more, give other files, or leave with Ctrl+Q.", ())
            case Ask() | Request():
                self.ask(consult.question(), consult.choices())

    def ask(self, question: str, offered: tuple[Choice, ...]) -> None:
        """Put a question into the prompt."""
        step = self.consult.step if self.consult else None
        placeholder = PLACEHOLDERS.get(step.id if step else "", "number, word or sentence; ? for help")
        instant = isinstance(step, Ask | Request) and bool(offered)
        self.query_one(Prompt).ask(question, offered, placeholder, instant)

    def on_prompt_line(self, event: Prompt.Line) -> None:
        """A typed line."""
        consult = self.consult
        if consult is None:
            return
        words = event.text.split()
        if words[0].lower().lstrip("/") == "resume" and len(words) <= 2:
            self.resume(words[1] if len(words) == 2 else "")
            return
        reply = read(event.text, consult.step, consult.choices())
        if reply.command == "quit":
            self.exit()
        elif reply.command == "help":
            self.action_help()
        else:
            self.send(reply, event.text)

    def on_prompt_picked(self, event: Prompt.Picked) -> None:
        """A quick answer."""
        self.send(Reply(answer=event.choice.answer), event.choice.text)

    def send(self, reply: Reply, shown: str) -> None:
        """Hand a reply to the consultation. What may wait for files runs in a thread."""
        consult = self.consult
        if consult is None:
            return
        if self.busy:
            self.say(Text("One moment: a measurement is running. F7 stops it.", "muted"))
            return
        self.said(shown)
        if isinstance(consult.step, End) and reply.text:
            notes = consult.tell(reply.text)
        elif reply.path or isinstance(consult.step, Request):
            self.start(lambda: consult.reply(reply), "reply")
            return
        else:
            notes = consult.reply(reply)
        for note in notes:
            self.note(note)
        self.advance()

    def resume(self, name: str) -> None:
        """Go on with an earlier conversation, in place of this one."""
        consult = self.consult
        assert consult is not None
        try:
            full = resumed_name(name)
        except Refused as error:
            self.say(Text(str(error), "error"))
            return
        saved = find(full)
        if saved is None:
            return
        consult.file = SessionFile(full)
        self.query_one("#talk", VerticalScroll).remove_children()
        self.start(lambda: consult.resume(saved.session), "resume")

    def on_causes_withdrawn(self, event: Causes.Withdrawn) -> None:
        """Something that was said is taken back."""
        if self.consult and not self.busy:
            self.consult.withdraw(event.symptom)
            self.say(Text(f"Taken back: {visible(self.consult.kb.symptoms[event.symptom].statement)}.", "muted"))
            self.advance()

    # drawing

    def say(self, *blocks: Block, kind: str = "") -> None:
        """Append to the conversation; what is old leaves it."""
        talk = self.query_one("#talk", VerticalScroll)
        talk.mount(Page(blocks, classes=kind))
        if len(talk.children) > MOST_TURNS:
            talk.children[0].remove()

    def said(self, text: str) -> None:
        """What the person said."""
        self.say(Text(visible_lines(text, 2000), label="You"), kind="you")

    def note(self, note: Note) -> None:
        """What came of a reply."""
        self.say(Text(note.text, "error" if note.error else "text"))

    def show_finding(self, finding: Finding) -> None:
        """A finding in short; F3 has the whole."""
        assert self.consult is not None
        self.say(*say.briefly(self.consult.kb, finding))

    def progress(self, text: str) -> None:
        """The line above the question; "" hides it."""
        row = self.query_one("#progress", Static)
        row.set_class(bool(text), "on")
        row.update(Content(text))

    def top_line(self, consult: Consult) -> str:
        """Program, what is looked at, session."""
        paths = ", ".join(Path(p).name for p in consult.session.paths)
        name = consult.file.name if consult.file else ""
        return "  ·  ".join(p for p in ("nn-doctor", visible(paths, 50), name) if p)

    # keys

    def action_help(self) -> None:
        """The list of what can be done; what is chosen is done."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(), self.do)

    def do(self, action: str | None) -> None:
        """An action that was chosen from the help."""
        if action:
            self.call_later(self.run_action, action)

    def action_evidence(self) -> None:
        """What was measured."""
        if self.consult:
            self.push_screen(EvidenceScreen(self.consult))

    def action_search(self) -> None:
        """The FAQ."""
        if self.consult:
            self.push_screen(SearchScreen(self.consult))

    def action_toggle_causes(self) -> None:
        """Causes beside the conversation on a wide screen, in its place on a narrow one."""
        wide = self.screen.has_class("-wide")
        self.screen.toggle_class("hide-causes" if wide else "show-causes")

    def action_undo(self) -> None:
        """Undo."""
        self.send(Reply(command="back"), "back")

    def action_why(self) -> None:
        """Why the question is asked."""
        self.send(Reply(command="why"), "why?")

    def action_skip(self) -> None:
        """Leave the step out."""
        self.send(Reply(command="skip"), "skip")

    def action_cancel(self) -> None:
        """Stop the probe that runs."""
        if self.busy:
            self.process.cancel()

    def action_save_report(self) -> None:
        """A Markdown report into the current folder."""
        if self.consult is None:
            return
        name = self.consult.file.name if self.consult.file else "report"
        path = Path(f"nn-doctor-{name}.md")
        try:
            path.write_text(markdown(self.consult.report()), encoding="utf-8")
        except OSError as error:
            self.say(Text(f"The report could not be written: {visible_lines(error)}.", "error"))
            return
        self.say(Text(f"Wrote {path.absolute()}", "muted"))


def run_screen(args: argparse.Namespace) -> int:
    """Run the screen; on leaving, the result goes to the normal screen, with the name of the session."""
    app = DoctorApp(args)
    try:
        app.run()
    finally:
        app.process.close()
    if app.consult is not None and app.consult.session.events:
        print(render(app.consult.conclusion()).lstrip("\n"))
        if app.consult.file:
            print(f"\nTo go on: nn-doctor --resume {app.consult.file.name}")
    return app.return_code or 0
