"""The checker names file, line and field of everything that is wrong, and never fails on any file."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.check import check
from knowledge.errors import KnowledgeError, Problem
from knowledge.load import load

ENTRY = """\
id: my-fault
kind: diagnosis
title: My fault
summary: Something is wrong.
"""


def problems(folder: Path, text: str, name: str = "my-fault.yaml") -> list[Problem]:
    (folder / name).write_text(text, encoding="utf-8")
    return check([folder])


def test_a_minimal_entry_is_fine(tmp_path: Path) -> None:
    assert problems(tmp_path, ENTRY) == []
    assert load([tmp_path]).entries["my-fault"].title == "My fault"


@pytest.mark.parametrize(
    ("more", "line", "field", "says"),
    [
        ("colour: red\n", 5, "colour", "unknown key"),
        ("prior: high\n", 5, "prior", "number from 0 to 1"),
        ("prior: 7\n", 5, "prior", "number from 0 to 1"),
        ("aliases: my fault\n", 5, "aliases", "must be a list"),
        ("aliases: [yes]\n", 5, "aliases.1", "must be text"),
        ("symptoms:\n  loss-is-nan: frequently\n", 6, "symptoms.loss-is-nan", "one of always, often"),
        ("symptoms:\n  loss-is-green: often\n", 6, "symptoms", "no symptom has the id 'loss-is-green'"),
        ("related: [nothing-such]\n", 5, "related.1", "no entry has the id"),
        ("related: [Over_Fitting]\n", 5, "related.1", "joined by hyphens"),
        ("fixes:\n  - title: Do\n    why: so\n", 6, "fixes.1.how", "is missing"),
        ("title: Again\n", 5, "title", "comes twice"),
        ("qa:\n  - question: Why?\n    answer: ''\n", 7, "qa.1.answer", "must not be empty"),
    ],
)
def test_a_mistake_is_named_with_line_and_field(tmp_path: Path, more: str, line: int, field: str, says: str) -> None:
    (problem,) = problems(tmp_path, ENTRY + more)
    assert (problem.line, problem.field) == (line, field)
    assert says in problem.what
    assert problem.file.endswith("my-fault.yaml")


def test_the_id_must_be_the_file_name(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, ENTRY, "other.yaml")
    assert problem.field == "id" and "'other'" in problem.what


def test_an_entry_with_a_built_in_id_extends_that_entry(tmp_path: Path) -> None:
    built_in = load().entries["overfitting"]
    new = next(s for s in load().symptoms if s not in built_in.symptoms)
    more = "aliases: [our own word]\ncauses: [Our loader repeats a shard.]\n"
    more += f"symptoms: {{val-loss-rises: never, {new}: often}}\n"
    assert problems(tmp_path, ENTRY.replace("my-fault", "overfitting") + more, "overfitting.yaml") == []
    both = load([tmp_path, tmp_path]).entries["overfitting"]
    assert (both.title, both.summary, both.path) == (built_in.title, built_in.summary, built_in.path)
    assert both.aliases == (*built_in.aliases, "our own word")
    assert both.causes == (*built_in.causes, "Our loader repeats a shard.")
    assert both.symptoms == {**built_in.symptoms, new: "often"}


def test_an_extending_entry_must_be_of_the_same_kind(tmp_path: Path) -> None:
    guide = ENTRY.replace("my-fault", "overfitting").replace("diagnosis", "guide")
    (problem,) = problems(tmp_path, guide, "overfitting.yaml")
    assert problem.field == "kind" and "must be diagnosis" in problem.what


def test_a_guide_has_no_prior(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, ENTRY.replace("diagnosis", "guide") + "prior: 0.1\n")
    assert problem.field == "prior"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: [1\n")
    (tmp_path / "b.yaml").write_bytes(b"title: \xff\n")
    (tmp_path / "c.yaml").write_text("")
    with pytest.raises(KnowledgeError) as error:
        load([tmp_path])
    lines = str(error.value).splitlines()
    assert [Path(line.split(":")[0]).name for line in lines] == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (problem,) = check([tmp_path / "nowhere"])
    assert "not a folder" in problem.what


def test_an_overlay_may_bring_symptoms_of_its_own(tmp_path: Path) -> None:
    symptom = (
        "- {id: lamp-is-red, statement: the lamp is red, question: Is the lamp red?, why: It tells., base_rate: 0.1}\n"
    )
    (tmp_path / "symptoms.yaml").write_text(symptom)
    assert problems(tmp_path, ENTRY + "symptoms: {lamp-is-red: always}\n") == []
    (tmp_path / "symptoms.yaml").write_text(symptom * 2)
    (problem,) = check([tmp_path])
    assert "is there already" in problem.what and problem.line == 2


WILD = [
    "&a [*a]",
    "? [a]\n: b",
    "a: *unknown",
    "%TAG ! x\n---\n!foo bar",
    "--- 1\n--- 2",
    "{" * 5000,
    "- " * 3000,
    "id: !!binary abc",
    "\x00",
    "a: 2026-99-99",
    "<<: [1]",
    "id: &x\n  id: *x",
]


@pytest.mark.parametrize("text", WILD, ids=lambda text: repr(text[:12]))
def test_wild_yaml_gives_problems_and_no_traceback(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)


keys = st.sampled_from(["id", "kind", "title", "summary", "symptoms", "fixes", "qa", "aliases", "x", "prior"])
plain = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.text(max_size=80) | st.binary(max_size=60) | plain)
def test_no_file_whatever_makes_the_checker_fail(tmp_path: Path, data: object) -> None:
    import yaml

    path = tmp_path / "my-fault.yaml"
    if isinstance(data, bytes):
        path.write_bytes(data)
    else:
        text = data if isinstance(data, str) else yaml.safe_dump(data, allow_unicode=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for problem in check([tmp_path], built_in=False):
        assert problem.line >= 1 and problem.what
