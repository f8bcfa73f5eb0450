"""Markdown as people write it becomes valid draft entries, and nothing of it is lost."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.check import check
from knowledge.errors import KnowledgeError
from knowledge.importer.drafts import write
from knowledge.importer.make import Import, plan
from knowledge.importer.repair import repaired
from knowledge.load import load
from knowledge.schema import Entry
from knowledge.search import Index

INDEX = Index(load())
ROOT = Path(__file__).parents[2]


def imported(folder: Path, text: str, name: str = "notes.md") -> Import:
    """Import a document and write its drafts to folder/out."""
    (folder / "out").mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    done = plan(folder / name, folder / "out", INDEX, set(INDEX.kb.entries))
    for change in done.changes:
        write(change)
    return done


def entries(folder: Path, text: str) -> dict[str, Entry]:
    """The drafts of a document, as the knowledge base reads them."""
    imported(folder, text)
    assert check([folder / "out"]) == []
    return {id: e for id, e in load([folder / "out"]).entries.items() if id not in INDEX.kb.entries}


def invalid(folder: Path) -> list[str]:
    """What is wrong with the drafts by themselves: reading the built-in base takes longer than all of them."""
    return [str(p) for p in check([folder / "out"], built_in=False) if "no symptom has the id" not in p.what]


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    else:
        yield str(value)


TAGS = re.compile(
    r"</?(?:details|summary|p|div|img|b|br|a)\b(?:[^>]*?\b(?:alt|src|href)=\"([^\"]*)\")?(?:[^>]*?\b(?:alt|src|href)=\"([^\"]*)\")?[^>]*>"
)
LABELS = re.compile(
    r"^(\s*[-*+]?\s*[*_>]*)(?:Q|A|Question|Answer)\s*\d*\s*(?=[*_]*\s*[:.)])|^\s*\d+[.)](?=\s)|^\s*```python$",
    re.MULTILINE,
)


def words(text: str) -> Counter[str]:
    """The words of a Markdown text, but for Q and A, which mark questions; of tags only what they show."""
    seen = TAGS.sub(lambda m: f" {m.group(1) or ''} {m.group(2) or ''} ", text)
    return Counter(word for word in re.findall(r"[^\W_]+", seen.lower()) if word not in ("q", "a"))


def lost(done: Import) -> Counter[str]:
    """The words of a document that are neither in its drafts nor reported."""
    kept = [s for change in done.changes for s in strings(yaml.safe_load(change.text))]
    said = LABELS.sub(lambda m: m.group(1) or "", "\n".join(done.document.lines))
    return words(said) - words("\n".join([*kept, *(u.text for u in done.unplaced)]))


def test_a_fault_with_symptoms_causes_and_fixes_becomes_a_diagnosis(tmp_path: Path) -> None:
    entry = entries(tmp_path, (Path(__file__).parent / "documents" / "fault.md").read_text(encoding="utf-8"))[
        "jammed-shuttle"
    ]
    assert entry.kind == "diagnosis"
    assert entry.summary == "The shuttle stops half way. Cloth tears."
    assert entry.symptoms == {"loss-is-nan": "often"}
    assert "A loud bang" in entry.body and "The training loss becomes NaN" in entry.body
    assert entry.causes == ("**Worn bearing**: the race is pitted", "Dust in the groove")
    first, second = entry.fixes
    assert (first.title, first.why, first.how) == ("Oil it", "Less friction", "Cost: 2 pounds")
    assert second.title == "Replace race"
    assert "   /\\\\  bang\n  /  \\\\" in entry.body
    assert "lines 5-28" in entry.sources[0].place and "Solution | How It Helps" in entry.sources[2].place


@pytest.mark.parametrize(
    "text",
    [
        "**Q: Why does it hum?**\n\nA: The belt is slack.\n",
        "Q: Why does it hum?\nA: The belt is slack.\n",
        "**Q1.** Why does it hum?\n\n**A1.** The belt is slack.\n",
        "**Why does it hum?**\n\nThe belt is slack.\n",
        "**Why does it hum?** The belt is slack.\n",
        "- **Why does it hum?** The belt is slack.\n",
        "* Q: Why does it hum?\n  A: The belt is slack.\n",
        "*Why does it hum?*\n\nThe belt is slack.\n",
        "Why does it hum?\n\nThe belt is slack.\n",
        "### Why does it hum?\nThe belt is slack.\n",
        "#### Why does it hum?\nA: The belt is slack.\n",
        "<details><summary>Why does it hum?</summary>\n\nThe belt is slack.\n\n</details>\n",
        "<details>\n<summary><b>Why does it hum?</b></summary>\nThe belt is slack.\n</details>\n",
        "| Question | Answer |\n|---|---|\n| Why does it hum? | The belt is slack. |\n",
        "Question: Why does it hum?\n\nAnswer: The belt is slack.\n",
    ],
)
def test_a_question_is_found_however_it_is_marked(tmp_path: Path, text: str) -> None:
    (qa,) = entries(tmp_path, f"# Manual\n\nIntroduction to it.\n\n## Belts\n\n{text}")["belts"].qa
    assert qa.question == "Why does it hum?"
    assert qa.answer.removeprefix("Answer: ") == "The belt is slack."


def test_an_answer_goes_on_to_the_next_question_with_its_code_whole(tmp_path: Path) -> None:
    text = (
        "## Belts\n**Q: How tight?**\n\nA: So:\n\n```python\nx = 1\n\n# Q: no question\n```\n\n- a\n"
        "- b\n\n**Q: Why?**\nA: Slip.\n"
    )
    first, second = entries(tmp_path, text)["belts"].qa
    assert first.answer == "So:\n\n```python\nx = 1\n\n# Q: no question\n```\n\n- a\n- b"
    assert (second.question, second.answer) == ("Why?", "Slip.")


def test_questions_without_an_answer_are_kept_and_flagged(tmp_path: Path) -> None:
    done = imported(
        tmp_path, "# Manual\n\n## Belts\n\n**Q: How tight?**\n\n---\n\n## Which oil?\n\n## Gears\nThey turn.\n"
    )
    assert [u for c in done.changes for u in c.draft.unanswered] == [(5, "How tight?"), (9, "Which oil?")]
    assert check([tmp_path / "out"]) == []


def test_headings_that_are_questions_are_entries_at_the_top_and_questions_below(tmp_path: Path) -> None:
    found = entries(
        tmp_path, "# FAQ of looms\n\n## Which oil?\nThin oil.\n\n## Belts\nOf leather.\n\n### How tight?\nVery.\n"
    )
    assert found["which-oil"].qa[0].answer == "Thin oil."
    assert found["belts"].qa[0].question == "How tight?"


def test_an_answer_typed_as_a_heading_is_text(tmp_path: Path) -> None:
    text = "## Oiling\n\n### Oil the loom every morning before the first shift begins.\n\nAnd at night.\n"
    entry = entries(tmp_path, text)["oiling"]
    assert entry.summary == "Oil the loom every morning before the first shift begins."
    assert entry.body == "And at night."


def test_bullets_indented_into_code_are_a_list_again_and_code_stays_code(tmp_path: Path) -> None:
    text = (
        "## Care\n\n- **Daily**:\n\n      - Wipe the frame well\n      - Look at the belt\n\n## Run\n\n"
        "Like this:\n\n    - name: loom\n      run: weave\n"
    )
    found = entries(tmp_path, text)
    assert found["care"].body == "- **Daily**:\n\n  - Wipe the frame well\n  - Look at the belt"
    assert "```\n- name: loom\n  run: weave\n```" in found["run"].body


def test_pictures_become_captions(tmp_path: Path) -> None:
    text = (
        "## Looms\n\nA loom, as drawn:\n\n"
        '<img width="3" alt="A loom at work" src="http://x.org/a.png" />\n\n![The belt](b.png)\n'
    )
    assert (
        entries(tmp_path, text)["looms"].body
        == "(Image: A loom at work, http://x.org/a.png)\n\n(Image: The belt, b.png)"
    )


def test_text_that_was_decoded_wrongly_is_repaired_and_its_quotes_are_left_alone() -> None:
    wrong = "Looms hum — always “loudly” → so".encode().decode("cp1252", errors="ignore")
    assert repaired("# Hum\n\nIt’s fine.\n", "a.md").lines[2] == "It’s fine."
    assert "—" in repaired(wrong + "\n", "a.md").lines[0]


def test_front_matter_is_metadata_and_a_rule_is_not(tmp_path: Path) -> None:
    done = imported(tmp_path, "---\ntitle: 'Looms'\ntags: [a, b]\n---\n\nThey weave cloth all day.\n")
    assert done.document.front == ("title: 'Looms'", "tags: [a, b]")
    (change,) = done.changes
    assert change.draft.id == "looms" and "#   tags: [a, b]" in change.text
    assert repaired("---\n\nNo front matter here: only a rule.\n\n---\n", "a.md").front == ()


def test_tables_of_symptoms_give_questions_and_other_tables_stay(tmp_path: Path) -> None:
    text = (
        "## Table\n\n| Symptom | Likely cause | First thing to try |\n|--|--|--|\n"
        "| Hum | Belt | Tighten |\n\n| Size | Price |\n|--|--|\n| 1 | 2 |\n"
    )
    entry = entries(tmp_path, text)["table"]
    assert [(q.question, q.answer) for q in entry.qa] == [("Hum", "Likely cause: Belt; First thing to try: Tighten")]
    assert "| 1 | 2 |" in entry.body


def test_checklists_stay_checklists(tmp_path: Path) -> None:
    entry = entries(
        tmp_path,
        "# Mill\n\n## Before the shift\n\n### 1. Belt\n- [ ] Tight?\n- [x] Clean?\n\n### 2. Oil\n- [ ] Full?\n",
    )["before-the-shift"]
    assert "### 1. Belt\n\n- [ ] Tight?\n- [x] Clean?" in entry.body and not entry.qa


def test_what_has_no_place_is_reported_with_its_lines(tmp_path: Path) -> None:
    text = (
        "# Manual\n\n- [Belts](#belts)\n- [Oil](#oil)\n\n## Belts\nThey [hum][1].\n\n"
        "<!-- check this -->\n\n## Oil\n\n[1]: http://x.org\n[2]: http://y.org\n"
    )
    done = imported(tmp_path, text)
    assert [(u.why, u.start, u.end) for u in done.unplaced] == [
        ("a table of contents", 3, 4),
        ("an HTML comment", 9, 9),
        ("a heading without text", 11, 11),
        ("a definition of a link that nothing uses", 14, 14),
    ]
    assert "[1]: http://x.org" in done.changes[0].draft.body


def test_headings_with_nothing_but_headings_under_them_are_all_reported(tmp_path: Path) -> None:
    done = imported(tmp_path, "# Loom\n\nIt hums.\n\n# Symptoms\n\n### Symptoms\n")
    assert [(u.text, u.start) for u in done.unplaced] == [("Symptoms", 5), ("Symptoms", 7)]


def test_a_heading_with_only_a_rule_under_it_is_reported_beside_the_entries(tmp_path: Path) -> None:
    done = imported(tmp_path, "### Symptoms\n\n---\n\n# Loom\n\nIt hums.\n")
    assert [u.text for u in done.unplaced] == ["Symptoms, lines 1-3"] and len(done.changes) == 1


DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_nothing_is_lost(tmp_path: Path, path: Path) -> None:
    done = imported(tmp_path, path.read_text(encoding="utf-8"))
    assert check([tmp_path / "out"]) == []
    assert not lost(done)


WORDS = "loom belt hums oil loss nan Symptoms Causes Solution Q: A: **Why?** How? `x_y` | [a](b) <b> - 1. é"
word = st.sampled_from(WORDS.split())
line = st.lists(word, min_size=1, max_size=6).map(" ".join)
block = st.one_of(
    line,
    line.map(lambda s: f"**{s}**"),
    st.tuples(st.integers(1, 4), line).map(lambda t: "#" * t[0] + " " + t[1]),
    st.sampled_from(
        ["### Symptoms", "### Causes", "### Solutions", "## How come?", "---", "", "> quote me", "<!-- no -->"]
    ),
    st.lists(
        st.tuples(st.sampled_from(["- ", "1. ", "  - ", "      - ", "- [ ] ", "* Q: "]), line).map("".join), max_size=4
    ).map("\n".join),
    st.tuples(line, line).map(lambda t: f"```python\n{t[0]}\n\n{t[1]}\n```"),
    st.tuples(st.sampled_from(["Symptom|Fix", "Solution|Why", "Question|Answer", "x|y"]), line, line).map(
        lambda t: f"|{t[0]}|\n|--|--|\n|{t[1].replace('|', '')}|{t[2].replace('|', '')}|"
    ),
    st.tuples(line, line).map(lambda t: f"Q: {t[0]}?\nA: {t[1]}"),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(block, min_size=1, max_size=10))
def test_nothing_is_lost_of_any_document(tmp_path: Path, parts: list[str]) -> None:
    for path in (tmp_path / "out").glob("*"):
        path.unlink()
    try:
        done = imported(tmp_path, "\n\n".join(parts))
    except KnowledgeError as error:
        assert "is empty" in str(error)
        return
    assert not invalid(tmp_path)
    assert not lost(done)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=300))
def test_any_text_gives_valid_drafts_or_one_sentence(tmp_path: Path, text: str) -> None:
    for path in (tmp_path / "out").glob("*"):
        path.unlink()
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "wild.md").write_bytes(text.encode("utf-8", "replace"))
    try:
        done = plan(tmp_path / "wild.md", tmp_path / "out", INDEX, set(INDEX.kb.entries))
    except KnowledgeError as error:
        assert len(error.problems) == 1
        return
    for change in done.changes:
        write(change)
    assert not invalid(tmp_path)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"PK\x03\x04\x00\x00", "is not text"),
        (b"x" * 6_000_000, "larger than 2 MB"),
    ],
    ids=["empty", "blank", "binary", "large"],
)
def test_a_file_that_is_no_document_is_refused_in_a_sentence(tmp_path: Path, raw: bytes, says: str) -> None:
    (tmp_path / "bad.md").write_bytes(raw)
    with pytest.raises(KnowledgeError, match=says):
        plan(tmp_path / "bad.md", tmp_path, INDEX, set())


def test_quick_commands_load_no_markdown_and_no_encoding_repair() -> None:
    script = (
        "import sys\nfrom assistant.cli import main\n"
        "for words in (['search', 'loss is nan'], ['kb', 'list'], ['--help']):\n"
        "    try:\n        main(words)\n    except SystemExit:\n        pass\n"
        "print('LOADED', sorted({'ftfy', 'markdown_it'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"
