from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from small_world import finding

from assistant import store
from assistant.engine.events import (
    Answered,
    Closed,
    Declined,
    Event,
    Found,
    Provided,
    Said,
    Told,
    Withdrew,
    from_json,
    to_json,
)
from assistant.engine.session import Session

texts = st.text(max_size=20)
events = st.one_of(
    st.builds(
        Said,
        texts,
        st.dictionaries(texts, st.booleans(), max_size=3),
        st.dictionaries(texts, st.floats(-3, 3), max_size=3),
    ),
    st.builds(Answered, texts, st.sampled_from(["yes", "no", "unsure"])),
    st.builds(Withdrew, texts),
    st.builds(Provided, st.tuples(texts), st.none() | texts, st.tuples(texts)),
    st.builds(Declined, texts),
    st.builds(Told, texts),
    st.just(Closed()),
    st.just(Found(finding("p", ("d", "confirmed", "proved", "weights"), worst_layer="fc2"))),
)


@given(st.lists(events, max_size=6))
def test_what_is_saved_is_what_happened(happened: list[Event]) -> None:
    assert [from_json(json.loads(json.dumps(to_json(e)))) for e in happened] == happened


def test_back_goes_to_before_the_last_word_of_the_person() -> None:
    said, found = Said("stuck", {}, {}), Found(finding("p"))
    given_ = Provided(("/run",), None, ("log",))
    assert Session((said, given_, found)).back() == Session((said,))
    assert Session().back() == Session()


def test_a_session_is_resumed_where_it_was_killed(tmp_path: Path) -> None:
    file = store.SessionFile("one", tmp_path)
    happened = (Said("nan", {"loss-is-nan": True}, {}), Answered("stuck", "no"))
    file.append(happened)
    with file.path.open("a") as half:
        half.write('{"event": "answered", "sym')
    assert store.load(file.path).events == happened
    file.append([Answered("stuck", "yes")])
    assert store.load(file.path).answers["stuck"] == "yes"


def test_undo_is_kept_on_disk(tmp_path: Path) -> None:
    file = store.SessionFile("one", tmp_path)
    file.append([Said("a", {}, {}), Answered("stuck", "no")])
    file.undone(1)
    file.append([Answered("stuck", "yes")])
    assert store.load(file.path).events == (Said("a", {}, {}), Answered("stuck", "yes"))


def test_the_latest_unfinished_session_is_found(tmp_path: Path) -> None:
    store.SessionFile("20260101-a", tmp_path).append([Said("a", {}, {})])
    store.SessionFile("20260102-b", tmp_path).append([Said("b", {}, {}), Closed()])
    found = store.find("", tmp_path)
    assert found is not None
    assert found.name == "20260101-a"
    assert store.find("20260102", tmp_path) is not None
    assert store.find("2026", tmp_path) is None
