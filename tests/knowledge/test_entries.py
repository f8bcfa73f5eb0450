"""The built-in entries are complete and consistent."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from knowledge.likelihood import LIKELIHOOD, probability
from knowledge.load import load
from knowledge.meanings import levels
from knowledge.schema import Entry
from probes.demos import demos
from probes.registry import probes

KB = load()
FAULTS = [e for e in KB.entries.values() if e.kind == "diagnosis"]
FACTS = {
    *("layers", "worst_layer", "dead_share", "units", "optimizer", "lr", "weight_decay", "onset_epoch", "best_epoch"),
    *("best_value", "last_value", "first_bad_step", "checkpoint", "tensor", "update_ratio", "step", "first_layer"),
    *("gradient_ratio", "chance_loss", "suggested_lr"),
}
MEASURABLE = [
    *("dead-relu", "vanishing-gradients", "exploding-gradients", "overfitting", "underfitting"),
    *("numerical-instability", "learning-rate-too-high", "learning-rate-too-low", "frozen-parameters"),
]


@pytest.mark.parametrize("entry", FAULTS, ids=lambda e: e.id)
def test_a_diagnosis_is_complete(entry: Entry) -> None:
    assert entry.prior > 0 and entry.causes and entry.sources and len(entry.aliases) >= 5
    assert len(entry.symptoms) >= 5 and entry.look_alikes and len(entry.qa) >= 2 and len(entry.fixes) >= 2
    assert {"always", "often"} & set(entry.symptoms.values())
    assert entry.id not in {*entry.related, *entry.leads_to, *(look.id for look in entry.look_alikes)}


@pytest.mark.parametrize("entry", [e for e in KB.entries.values() if e.kind == "guide"], ids=lambda e: e.id)
def test_a_guide_goes_into_depth(entry: Entry) -> None:
    assert len(entry.qa) >= 4 and entry.caveats and entry.sources and len(entry.aliases) >= 5
    assert entry.body or entry.fixes
    assert any(source.url for source in entry.sources)
    assert entry.id not in entry.related


def test_what_a_fault_leads_to_is_another_fault() -> None:
    faults = {entry.id for entry in FAULTS}
    assert all(set(entry.leads_to) <= faults for entry in FAULTS)
    assert not any(entry.leads_to for entry in KB.entries.values() if entry.kind == "guide")


@pytest.mark.parametrize("layer", ["layer 0", "fc1"])
def test_measured_sentences_read_well_whatever_a_layer_is_called(layer: str) -> None:
    facts = {**dict.fromkeys(FACTS, "3"), "worst_layer": layer, "first_layer": layer, "units": "64 of 64"}
    facts |= {"best_epoch": "epoch 7", "onset_epoch": "epoch 9", "first_bad_step": "step 12"}
    templates = [m for entry in KB.entries.values() for fix in entry.fixes for m in fix.measured]
    for template in templates:
        text = template.format_map(facts)
        assert not re.search(r"\b([a-z]\w+) \1\b", text), text
        assert not text.startswith(layer) and f"layer {layer}" not in text, text


def test_commands_that_entries_name_exist() -> None:
    text = "\n".join(Path(entry.path).read_text("utf-8") for entry in KB.entries.values())
    assert set(re.findall(r"nn-doctor demo ([\w-]+)", text)) == {*demos()}
    assert set(re.findall(r"nn-doctor probe run ([\w-]+)", text)) <= {*probes()}


def test_two_look_alikes_can_be_told_apart_by_a_question() -> None:
    for entry in FAULTS:
        for look in entry.look_alikes:
            other = KB.entries[look.id]
            apart = max(abs(likely(entry, s) - likely(other, s)) for s in {**entry.symptoms, **other.symptoms})
            assert apart >= 0.3, (entry.id, look.id)


def likely(entry: Entry, symptom: str) -> float:
    word = entry.symptoms.get(symptom)
    return probability(word) if word else KB.symptoms[symptom].base_rate


def test_a_quick_answer_says_something_about_its_own_question() -> None:
    answers = [(s.id, answer) for s in KB.symptoms.values() for answer in s.answers]
    assert answers
    assert all(id_ in answer.means and len(answer.means) > 1 for id_, answer in answers)


def test_every_symptom_can_be_asked_and_speaks_to_something() -> None:
    linked = {symptom for entry in FAULTS for symptom in entry.symptoms}
    assert linked == set(KB.symptoms)
    for symptom in KB.symptoms.values():
        assert len(symptom.question.split()) <= 15 and symptom.question.endswith("?"), symptom.id
        assert symptom.phrasings, symptom.id


def test_priors_are_shares() -> None:
    assert 0.8 < sum(e.prior for e in FAULTS) < 1.3


@pytest.mark.parametrize("id_", MEASURABLE)
def test_what_probes_measure_makes_two_fixes_specific(id_: str) -> None:
    assert sum(bool(fix.measured) for fix in KB.entries[id_].fixes) >= 2


def test_templates_use_only_facts_that_probes_deliver() -> None:
    for entry in KB.entries.values():
        for fix in entry.fixes:
            for template in fix.measured:
                assert set(re.findall(r"{(\w+)}", template)) <= FACTS, (entry.id, template)
                assert template.format_map(dict.fromkeys(FACTS, "x"))


def test_the_package_imports_neither_torch_nor_numpy_nor_a_face() -> None:
    code = (
        "import sys, knowledge.load; loaded = set(sys.modules); import knowledge.understand;"
        "bad = {'torch', 'numpy', 'textual', 'probes', 'assistant'} & set(sys.modules);"
        "assert not bad, bad; assert 'rapidfuzz' not in loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_table_of_words_is_the_agreed_one() -> None:
    assert LIKELIHOOD == {"always": 0.95, "often": 0.75, "sometimes": 0.40, "rarely": 0.10, "never": 0.02}
    with pytest.raises(KeyError):
        probability("mostly")


def test_the_levels_of_guessing_are_logarithms() -> None:
    for level in levels():
        assert math.isclose(level.loss, math.log(level.classes), abs_tol=1e-5)
        assert math.isclose(level.accuracy, 1 / level.classes, rel_tol=1e-2)
