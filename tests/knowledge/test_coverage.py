"""The map from the four FAQ documents to the entries: it points at what exists, and names every entry."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import knowledge
from knowledge.load import load

KB = load()
MAP: dict[str, Any] = yaml.safe_load((Path(knowledge.__file__).parent / "coverage.yaml").read_text("utf-8"))
OURS = set(MAP["ours"])
DOCUMENTS: dict[str, list[dict[str, Any]]] = {title: part for title, part in MAP.items() if title != "ours"}
SOURCES = {source.title for entry in KB.entries.values() for source in entry.sources}


def covers() -> list[dict[str, Any]]:
    return [item for part in DOCUMENTS.values() for heading in part for item in heading.get("covers", ())]


def test_the_four_documents_are_mapped_and_are_the_sources_that_entries_name() -> None:
    assert len(DOCUMENTS) == 4
    assert set(DOCUMENTS) <= SOURCES


def test_every_item_is_answered_by_a_field_that_is_there() -> None:
    missing = [
        item
        for item in covers()
        if item["entry"] not in KB.entries or not getattr(KB.entries[item["entry"]], item["field"], None)
    ]
    assert missing == []


def test_every_entry_is_asked_for_by_a_document_or_said_to_be_our_own() -> None:
    named = {item["entry"] for item in covers()}
    assert named | OURS == set(KB.entries)
    assert not named & OURS


@pytest.mark.parametrize("title", DOCUMENTS)
def test_headings_and_items_come_in_the_order_of_their_document(title: str) -> None:
    headings = DOCUMENTS[title]
    starts = [heading["at"] for heading in headings]
    assert starts == sorted(starts)
    for heading, end in zip(headings, [*starts[1:], 10_000], strict=True):
        for item in (*heading.get("covers", ()), *heading.get("left_out", ())):
            assert heading["at"] <= item["at"] <= item.get("to", item["at"]) <= end, item


def test_labels_are_short_and_what_is_left_out_has_a_reason() -> None:
    assert all(len(item["item"].split()) <= 16 for item in covers())
    left_out = [item for part in DOCUMENTS.values() for heading in part for item in heading.get("left_out", ())]
    assert all(item["why"] for item in left_out)


def test_a_question_that_a_document_leaves_open_has_an_answer() -> None:
    headings = {heading["heading"]: heading for heading in DOCUMENTS["Neural Network Training and Implementation FAQ"]}
    for name in ("Training Issues / Loss Not Decreasing", "Implementation Issues / Hyperparameter Tuning"):
        assert any(KB.entries[item["entry"]].qa for item in headings[name]["covers"])
