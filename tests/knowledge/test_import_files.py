"""Importing again changes nothing, what a person edited is kept, and the command says what it did."""

from pathlib import Path

import pytest
import yaml

from assistant import cli
from knowledge.errors import KnowledgeError
from knowledge.importer.repair import read
from knowledge.load import load
from knowledge.search import Index

PAGE = (
    "# Looms\n\nAbout looms.\n\n## Overfitting\n\nCloth too long.\n\n## Belts\n\nMade of leather.\n\n"
    "**Q: How tight?**\n"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "looms.md").write_text(PAGE, encoding="utf-8")
    return tmp_path / "looms.md"


def run(page: Path, *more: str) -> int:
    return cli.main(["kb", "import", str(page), "-o", str(page.parent / "out"), *more])


def files(page: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (page.parent / "out").iterdir()}


def test_the_command_says_what_it_made_and_from_where(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(page) == 0
    said = capsys.readouterr().out
    assert "looms-overfitting  guide  lines 5-7  resembles overfitting" in said
    assert "belts  guide  lines 9-13  1 question" in said
    assert "no answer: line 13, in belts: How tight?" in said
    assert set(files(page)) == {"looms.yaml", "looms-overfitting.yaml", "belts.yaml"}
    assert cli.main(["kb", "validate", str(page.parent / "out")]) == 0


def test_importing_again_changes_no_byte(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(page)
    before = files(page)
    assert run(page, "--strict") == 0
    assert files(page) == before
    assert capsys.readouterr().out.count("[unchanged]") == 3


def test_an_edited_draft_is_kept_unless_forced(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(page)
    draft = page.parent / "out" / "belts.yaml"
    draft.write_text(draft.read_text().replace("Made of leather.", "Made of rubber."))
    assert run(page) == 0
    assert run(page, "--strict") == 1
    assert "rubber" in draft.read_text() and "kept your edit" in capsys.readouterr().out
    page.write_text(PAGE.replace("leather", "wool"))
    assert run(page, "--strict") == 1
    assert "rubber" in draft.read_text() and "the document has changed since" in capsys.readouterr().out
    assert run(page, "--force") == 0
    assert "wool" in draft.read_text()


@pytest.mark.parametrize(("said", "holds"), [("o", ["wool"]), ("k", ["rubber"]), ("what\nb", ["rubber", "wool"])])
def test_on_a_terminal_it_asks_what_to_do_with_an_edit(
    page: Path, monkeypatch: pytest.MonkeyPatch, said: str, holds: list[str]
) -> None:
    run(page)
    draft = page.parent / "out" / "belts.yaml"
    draft.write_text(draft.read_text().replace("leather", "rubber"))
    page.write_text(PAGE.replace("leather", "wool"))
    replies = iter(said.split("\n"))
    monkeypatch.setattr("builtins.input", lambda prompt: next(replies))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    run(page)
    drafts = [path.read_text() for path in (page.parent / "out").glob("belts*.yaml")]
    assert sorted(word for text in drafts for word in ("rubber", "wool") if word in text) == holds
    assert cli.main(["kb", "validate", str(page.parent / "out")]) == 0


def test_what_was_written_beside_an_edit_is_not_asked_about_again(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    test_on_a_terminal_it_asks_what_to_do_with_an_edit(page, monkeypatch, "b", ["rubber", "wool"])
    before = files(page)
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail("asked again"))
    capsys.readouterr()
    run(page)
    assert files(page) == before and "no longer" not in capsys.readouterr().out


def test_a_changed_document_updates_drafts_that_nobody_edited(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(page)
    page.write_text("\n" + PAGE.replace("## Belts", "## Straps"))
    run(page)
    said = capsys.readouterr().out
    assert "[updated]" in said and "no longer in the document, left as it is: belts.yaml" in said
    assert "lines 10-14" in (page.parent / "out" / "straps.yaml").read_text()


def test_a_file_without_the_mark_of_a_draft_is_somebodys_own(page: Path) -> None:
    own = page.parent / "out" / "belts.yaml"
    own.parent.mkdir()
    own.write_text("id: belts\nkind: guide\ntitle: Mine\nsummary: My own words.\n")
    run(page)
    assert "My own words." in own.read_text()


def test_two_documents_do_not_take_each_others_ids(page: Path) -> None:
    other = page.parent / "mill" / "README.md"
    other.parent.mkdir()
    other.write_text(PAGE.replace("leather", "string"))
    for _ in range(2):
        assert run(page) == 0
        assert run(other, "-o", str(page.parent / "out")) == 0
    assert set(files(page)) == {
        *("looms.yaml", "looms-overfitting.yaml", "belts.yaml"),
        *("mill-looms.yaml", "mill-overfitting.yaml", "mill-belts.yaml"),
    }


def test_titles_that_make_bad_file_names_get_ids_all_the_same(page: Path) -> None:
    long = " ".join(["very"] * 14) + " long"
    page.write_text(f"## Symptoms of it\n\n## symptoms\n\n## {long}\n\na\n\n## 标题\n\nb\n\n## ../../etc/passwd\n\nc\n")
    assert run(page) == 0
    names = [Path(name).stem for name in files(page)]
    assert "symptoms" not in names and all(len(name) <= 60 for name in names) and "etc-passwd" in names
    assert cli.main(["kb", "validate", str(page.parent / "out")]) == 0


def test_texts_that_yaml_could_misread_come_back_as_they_were(page: Path) -> None:
    page.write_text(
        "## Yes\n\nno\n\n- 1e3: *x\n- `a: b # c`\n\n!tag &a {x: [y\n\n    \ttabbed\ttext\n", encoding="utf-8"
    )
    run(page)
    entry = yaml.safe_load((page.parent / "out" / "yes.yaml").read_text())
    assert (entry["title"], entry["summary"]) == ("Yes", "no")
    assert "- 1e3: *x\n- `a: b # c`" in entry["body"] and "!tag &a {x: [y" in entry["body"]


def test_a_document_that_cannot_be_read_does_not_stop_the_others(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["kb", "import", str(page.parent / "no.md"), str(page), "-o", str(page.parent / "out")]) == 2
    assert "no.md:1: (file): is not there" in capsys.readouterr().err
    assert len(files(page)) == 3


def test_control_characters_of_a_document_do_not_reach_the_terminal(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page.write_text("## A\u202eb\n\ntext\n\n**Q: \u202eWhy?**\n\n<!-- \u202e -->\n", encoding="utf-8")
    run(page)
    assert "\u202e" not in capsys.readouterr().out


def test_drafts_are_found_beside_the_built_in_entries(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(page)
    capsys.readouterr()
    folder = page.parent / "out"
    assert Index(load([folder])).search("overfitting", 1)[0].id in ("overfitting", "looms-overfitting")
    assert cli.main(["search", "loom belts leather", "--kb", str(folder)]) == 0
    assert "explain belts" in capsys.readouterr().out
    assert cli.main(["explain", "belts", "--kb", str(folder)]) == 0
    assert "Made of leather." in capsys.readouterr().out


def test_an_output_folder_that_is_a_file_is_told_in_a_sentence(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (page.parent / "out").write_text("")
    assert run(page) == 2
    assert capsys.readouterr().err.startswith("nn-doctor: ")


def test_a_line_that_no_prose_has_is_refused_at_once(tmp_path):
    path = tmp_path / "hostile.md"
    path.write_text("# Title\n\n" + "[ " * 50_000)
    with pytest.raises(KnowledgeError, match="line 3 is longer than"):
        read(path)
