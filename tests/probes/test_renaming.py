"""Columns called as the person says."""

import pytest
from curves_on_disk import csv

from probes.discover import discover
from probes.errors import Unreadable
from probes.renaming import parse, rename


@pytest.fixture
def logs(tmp_path):
    values = list(range(10))
    return discover(
        [csv(tmp_path, step=values, loss=values, eval_nll=values, val_loss=values, t=[10 * v for v in values])]
    ).logs


def names(logs) -> dict[str, str]:
    return {s.column: s.name for log in logs for s in log.series}


def test_a_column_gets_the_name_and_the_one_that_had_it_loses_it(logs):
    assert names(logs)["val_loss"] == "val/loss"
    changed = rename(logs, parse(["val/loss=eval_nll"]))
    assert names(changed)["eval_nll"] == "val/loss"
    assert names(changed)["val_loss"] == "val_loss"
    assert changed[0].get("val/loss").column == "eval_nll"


def test_a_column_can_be_made_the_axis(logs):
    changed = rename(logs, {"step": "t"})
    assert changed[0].get("train/loss").x.tolist() == [10.0 * v for v in range(10)]
    assert "t" not in names(changed)


def test_a_column_that_is_not_there_is_refused_with_those_that_are(logs):
    with pytest.raises(Unreadable, match="there are: eval_nll, loss"):
        rename(logs, {"val/loss": "nll"})


@pytest.mark.parametrize("text", ["val/loss", "=x", "val/loss=", ""])
def test_what_is_no_correction_is_refused(text):
    with pytest.raises(Unreadable, match="write --map NAME=COLUMN"):
        parse([text])
