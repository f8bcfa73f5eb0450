"""Search finds the entry however people type, and says nothing when nothing fits."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.load import load
from knowledge.search import Index

INDEX = Index(load())


def first(query: str, n: int = 1) -> list[str]:
    return [hit.id for hit in INDEX.search(query, n)]


@pytest.mark.parametrize(
    ("query", "id_"),
    [
        ("overfiting", "overfitting"),
        ("vanishng gradeints", "vanishing-gradients"),
        ("dying ReLUs", "dead-relu"),
        ("cuda oom", "out-of-memory"),
        ("bn worse at test time", "batch-norm-trouble"),
        ("forgot to zero the grads before backward", "training-loop-bug"),
        ("my learning rate may be too big", "learning-rate-too-high"),
        ("gpu util is like 5 percent", "slow-data-loading"),
        ("how can I make my runs reproducible with seeds", "irreproducible-runs"),
        ("softmax before CrossEntropyLoss", "loss-output-mismatch"),
        ("which books should I read", "learning-resources"),
        ("the validation loss is climbing since epoch 12 although training loss keeps dropping", "overfitting"),
        ("every image gets the identical prediction", "collapsed-output"),
        ("some columns of my csv are empty and loss is NaN", "missing-values"),
    ],
)
def test_the_right_entry_comes_first(query: str, id_: str) -> None:
    assert first(query) == [id_]


@pytest.mark.parametrize("id_", list(INDEX.kb.entries))
def test_every_entry_is_found_by_its_title(id_: str) -> None:
    assert id_ in first(INDEX.kb.entries[id_].title, 2)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?!",
        "best pizza in naples",
        "pip cannot find a matching version of my package",
        "react component does not render",
        "TypeError: 'NoneType' object is not subscriptable",
        "asdf qwer zxcv",
        "undefined reference linker error c++",
    ],
)
def test_what_is_not_about_training_finds_nothing(query: str) -> None:
    assert INDEX.search(query) == []


def test_word_order_does_not_matter() -> None:
    assert first("loss nan fp16 training") == first("training fp16 nan loss")


def test_a_loss_at_ln_10_finds_what_blocks_learning() -> None:
    assert {"training-loop-bug", "bad-initialization", "collapsed-output"} & set(first("loss stuck at 2.303", 3))


def test_hits_are_sorted_limited_and_have_a_snippet() -> None:
    hits = INDEX.search("loss is nan", 3)
    assert len(hits) == 3
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert all(h.title and 20 < len(h.snippet) <= 230 for h in hits)


def test_a_teams_own_entry_is_found_beside_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "cluster-quota.yaml").write_text(
        "id: cluster-quota\nkind: guide\ntitle: The quota of our cluster\nsummary: Jobs stop at the quota.\n"
        "aliases: [job killed by quota, cluster quota exceeded]\n"
    )
    assert [hit.id for hit in Index(load([tmp_path])).search("my job was killed by the quota", 1)] == ["cluster-quota"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_searched(text: str) -> None:
    assert isinstance(INDEX.search(text), list)
