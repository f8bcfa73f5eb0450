"""Tables and JSON as exports and people write them: what shares a header, a prefix, a unit or a place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes.readers.logs.log import read_log

TRAIN, VAL = [2.4, 1.9, 1.5, 1.2], [2.6, 2.2, 1.9, 1.7]
RIGHT, VAL_RIGHT = [0.3, 0.4, 0.5, 0.6], [0.25, 0.33, 0.4, 0.45]
LOSSES = {"train/loss": TRAIN, "val/loss": VAL}
BOTH = {**LOSSES, "train/accuracy": RIGHT, "val/accuracy": VAL_RIGHT}


def rows(line: str) -> str:
    values = enumerate(zip(TRAIN, VAL, RIGHT, VAL_RIGHT, strict=True))
    return "\n".join(line.format(i=i, a=a, b=b, c=c, d=d) for i, (a, b, c, d) in values)


def places(values: list[float]) -> list[list[float]]:
    return [[10.0 * i, v] for i, v in enumerate(values)]


FORMS = {
    "an_export_with_the_run_in_every_name": (
        '"Step","sunny-1 - train/loss","sunny-1 - train/loss__MIN","sunny-1 - train/loss__MAX"\n'
        + rows('"{i}","{a}","{a}","{a}"'),
        {"train/loss": TRAIN},
    ),
    "units": ("Epoch [-],Training loss [nats],Validation loss (a.u.)\n" + rows("{i},{a},{b}"), LOSSES),
    "two_rows_of_header": (",train,train,val,val\n,loss,acc,loss,acc\n" + rows("{i},{a},{c},{b},{d}"), BOTH),
    "te_beside_tr": (
        "epoch,tr_loss,te_loss\n" + rows("{i},{a},{b}"),
        {"train/loss": TRAIN, "test/loss": VAL},
    ),
    "nothing_but_a_loss": ("loss\n" + rows("{a}"), {"train/loss": TRAIN}),
    "plurals": (
        json.dumps({"train_losses": TRAIN, "val_losses": VAL, "train_accs": RIGHT, "val_accs": VAL_RIGHT}),
        BOTH,
    ),
    "points": (json.dumps({"loss/train": places(TRAIN), "loss/val": places(VAL)}), LOSSES),
    "points_with_wall_times": (json.dumps({"val/loss": [[1.6e9, *p] for p in places(VAL)]}), {"val/loss": VAL}),
    "steps_and_values": (
        json.dumps({"scalars": {k: {"steps": [0, 10, 20, 30], "values": v} for k, v in LOSSES.items()}}),
        LOSSES,
    ),
    "a_record_for_each_value": (
        json.dumps(
            [{"metricName": k, "metricValue": str(v[i]), "step": i} for k, v in LOSSES.items() for i in range(4)]
        ),
        LOSSES,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_curve_of_a_table_is_found_under_its_name(tmp_path: Path, form: str) -> None:
    text, wanted = FORMS[form]
    path = tmp_path / "run.txt"
    path.write_text(text)
    found = {s.name: s.y.tolist() for s in read_log(path).series}
    assert found == wanted


def test_the_losses_of_two_networks_are_not_taken_for_one_with_units(tmp_path: Path) -> None:
    path = tmp_path / "gan.csv"
    path.write_text("epoch,loss (G),loss (D)\n" + rows("{i},{a},{b}"))
    assert "train/loss" not in {s.name for s in read_log(path).series}


def test_a_split_before_every_name_is_no_run(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,val - loss,val - acc\n" + rows("{i},{b},{d}"))
    assert {s.name: s.y.tolist() for s in read_log(path).series} == {"val/loss": VAL, "val/accuracy": VAL_RIGHT}


def test_a_whole_number_beyond_all_floats_is_infinite_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"loss": [[0, 2.0], [1, 10**400], [2, 1.0]]}))
    assert read_log(path).series[0].y.tolist() == [2.0, float("inf"), 1.0]
