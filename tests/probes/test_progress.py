"""The step and the epoch of a checkpoint, wherever people keep them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from probes.readers.checkpoints.progress import progress


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"cur_epoch": 7}, (None, 7)),
        ({"EPOCHS_RUN": 11}, (None, 11)),
        ({"currentEpoch": 21, "globalStep": 500}, (500, 21)),
        ({"epoch": "15"}, (None, 15)),
        ({"train_steps": 3000}, (3000, None)),
        ({"meta": {"epoch": 3, "iter": 1200}}, (1200, 3)),
        ({"state": {"epoch": 5, "model": {}, "global_step": 60}}, (60, 5)),
        ({"extra_state": {"train_iterator": {"epoch": 6, "iterations_in_epoch": 0}}}, (None, 6)),
        ({"state": {"timestamp": {"Timestamp": {"epoch": 3, "batch": 512}}}}, (512, 3)),
    ],
)
def test_progress_is_found_under_any_name_and_in_the_part_that_keeps_it(
    tree: dict[str, Any], found: tuple[int | None, int | None]
) -> None:
    assert progress(tree) == found


def test_what_is_nearest_to_the_top_counts() -> None:
    assert progress({"runtime": {"epoch": 11, "step": 9}, "epoch": 12}) == (9, 12)


@pytest.mark.parametrize(
    "tree",
    [
        {"args": {"epoch": 300, "step": 9}},
        {"config": {"epoch": 300}},
        {"trainer": {"epochs": 300, "total_steps": 90_000}},
        {"scheduler": {"last_epoch": 4, "_step_count": 5}},
        {"optimizer": {"state": {}, "param_groups": [], "step": 4}},
        {"best": {"epoch": 3}},
        {"history": {"epoch": [1, 2]}},
        {"epoch": np.nan},
    ],
)
def test_plans_settings_and_other_peoples_counts_are_no_progress(tree: dict[str, Any]) -> None:
    assert progress(tree) == (None, None)
