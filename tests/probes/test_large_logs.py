"""Logs of a size that is read in blocks say what the same logs say when they are read whole."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.artifacts import Log
from probes.discover import discover
from probes.readers.logs.csv_log import read_csv
from probes.readers.logs.json_lines import read_json
from probes.readers.logs.large import aligned, growing, pieces, stdout_blocks
from probes.readers.logs.large.csv_blocks import read_large_csv
from probes.readers.logs.large.growing import Growing
from probes.readers.logs.large.json_blocks import read_large_json
from probes.readers.logs.large.numerals import block_of, read_numbers
from probes.readers.logs.large.stdout_blocks import read_large_stdout
from probes.readers.logs.printed.stdout_log import read_stdout
from probes.readers.logs.table import BLANK, is_blank


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 2000)
    monkeypatch.setattr(stdout_blocks, "SHARE", 50)
    monkeypatch.setattr(aligned, "FEWEST", 3)


def same(large: Log | None, whole: Log | None) -> bool:
    """Whether two readers found the same curves, to the last bit."""
    assert large is not None and whole is not None
    assert [s.name for s in large.series] == [s.name for s in whole.series]
    assert large.warnings == whole.warnings and large.format == whole.format
    for a, b in zip(large.series, whole.series, strict=True):
        assert np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y, equal_nan=True) and a.x_name == b.x_name, a.name
        assert (a.epoch is None) == (b.epoch is None)
    return True


def numbers(texts: list[str]) -> list[float | None]:
    """Each text as the block reader takes it; None where it leaves the cell to Python."""
    block = block_of("".join(text + "\n" for text in texts).encode())
    begins, stops = block.lines()
    runs = block.first_runs(begins, stops)
    values, behind, _, fine = read_numbers(block, begins, runs)
    return [v if good else None for v, good in zip(values.tolist(), fine & (behind == stops - 1), strict=True)]


WRITTEN = ["0", "-0.0", "1.", ".5", "+3", "1e-05", "-1E+3", "0.1", "123456789012345678901234", "1e400", "5e-324"]
WRITTEN += ["9007199254740993", "0.30000000000000004", "0.000012345678901234567890", "2.2250738585072011e-308", "00012"]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_number_is_what_python_reads(text: str) -> None:
    (value,) = numbers([text])
    assert value is None or (value == float(text) and np.signbit(value) == np.signbit(float(text)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(-1e38, 1e38), min_size=1, max_size=20), st.integers(0, 3))
def test_every_float_comes_back_to_the_last_bit(values: list[float], form: int) -> None:
    texts = [(repr(v), f"{v:.6f}", f"{v:.16e}", str(np.float32(v) + 0.0))[form] for v in values]
    for text, value in zip(texts, numbers(texts), strict=True):
        assert value is None or value == float(text)


@pytest.mark.parametrize("text", ["", "-", ".", "e5", "1e", "1-2", "nan", "0x10", "1.2.3", "12a", " 1", "--1", "1_0"])
def test_what_is_no_plain_number_is_left_to_python(text: str) -> None:
    assert numbers([text, "2"]) == [None, 2.0]


def rows(count: int) -> list[list[str]]:
    r = random.Random(0)
    made = [[str(i), str(i // 50), f"{2 / (1 + i) + r.random():.6f}", repr(r.random()), "", "x"] for i in range(count)]
    for i in range(0, count, 10):
        made[i][4] = f"{r.random():.3e}"
    made[7][2], made[8][2], made[9][2] = "nan", "-inf", "98.5%"
    return made


HEAD = ["step", "epoch", "train_loss", "grad_norm", "val_loss", "note"]


@pytest.mark.parametrize(("delimiter", "end"), [(",", "\n"), ("\t", "\n"), (";", "\r\n"), ("|", "\n")])
def test_a_table(tmp_path: Path, delimiter: str, end: str) -> None:
    text = end.join(delimiter.join(row) for row in [HEAD, *rows(500)]) + end
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode())
    assert same(read_large_csv(path), read_csv(path, text))


def test_cells_with_blanks_percent_signs_and_words_for_no_number(tmp_path: Path) -> None:
    cells = ["0.5", " 0.25", "98.5 %", "98.5%", "nan", "-NaN", "inf", "-inf", "None", "null", "NA", "", " ", "-", "5 s"]
    table = [f"{i}, {i / 7:.3f} ,{cells[i % len(cells)]},{'a word' if i % 3 else 'x'}, {i // 9}" for i in range(600)]
    text = "\n".join(["step, train_loss,val_loss,note, epoch", *table])
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert same(read_large_csv(path), read_csv(path, text))


def test_decimal_commas(tmp_path: Path) -> None:
    text = "epoch;train loss;val loss\n" + "".join(f"{i};{1 / (i + 1):.4f};0,5\n".replace(".", ",") for i in range(300))
    path = tmp_path / "log.csv"
    path.write_text(text)
    found = read_large_csv(path)
    assert same(found, read_csv(path, text))
    assert found is not None and found.series[0].y[1] == 0.5


def test_irregular_rows_of_a_table(tmp_path: Path) -> None:
    table = [",".join(row) for row in rows(400)]
    table[50] = ",".join(HEAD)
    table[90] = "90,1,0.5"
    table[120] = "# resumed, with, five, commas, in, it"
    table[150] = '150,3,"0.25",0.5,,"a, b"'
    table[180] = ""
    table[210] = "210,4,0.5,0.5,,x,,"
    table[240] = "240,4,0.5,0.5,,x,one too many"
    text = "\n".join([",".join(HEAD), *table])
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert same(read_large_csv(path), read_csv(path, text))


@pytest.mark.parametrize("text", ["model,accuracy\n" + "a,0.5\n" * 300, "epoch,split,loss\n" + "1,train,2\n" * 300])
def test_tables_that_are_no_curves_or_say_their_split_are_left_to_the_whole_reader(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert read_large_csv(path) is None


def records() -> list[str]:
    r = random.Random(1)
    made = []
    for i in range(600):
        record: dict[str, object] = {
            "iteration": i,
            "total_loss": r.random(),
            "lr": 1e-4,
            "time": f"12:{i % 60:02d}:00",
        }
        record |= {"text": str(r.random()), "top1": {"acc": r.random(), "many": [1, 2, 3]}, "done": False, "none": None}
        if i % 100 == 99:
            record = {"iteration": i, "val_loss": r.gauss(0, 1), "who \u00e9 5": "7"}
        if i in (40, 41):
            record["total_loss"] = float("nan")
        made.append(json.dumps(record))
    return made


@pytest.mark.parametrize("end", ["\n", "\r\n", '\n{"iteration": 600, "tot'])
def test_json_lines(tmp_path: Path, end: str) -> None:
    text = ("\r\n" if end == "\r\n" else "\n").join(records()) + end
    path = tmp_path / "log.jsonl"
    path.write_bytes(text.encode())
    assert same(read_large_json(path), read_json(path, text))


def test_json_lines_say_their_split(tmp_path: Path) -> None:
    text = "".join(
        json.dumps({"epoch": e, "mode": mode, "loss": loss}) + "\n"
        for e in range(200)
        for mode, loss in (("train", 1 / (e + 1)), ("val", 2 / (e + 1)))
    )
    path = tmp_path / "log.json"
    path.write_text(text)
    found = read_large_json(path)
    assert same(found, read_json(path, text)) and found is not None and found.get("val/loss") is not None


@pytest.mark.parametrize("spoilt", ["[1, 2]", "no json", '{"a": 1} {"b": 2}'])
def test_a_line_that_is_no_record_is_left_out_and_said(tmp_path: Path, spoilt: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join([*records()[:30], spoilt, *records()[30:]]))
    found = read_large_json(path)
    assert same(found, read_json(path, path.read_text())) and found is not None and "left out" in found.warnings[0]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text('{}":,0123456789.e-lossnanNstep \n', max_size=30), max_size=6), st.randoms())
def test_spoilt_json_lines_are_read_as_when_whole_or_not_at_all(
    tmp_path: Path, pieces: list[str], r: random.Random
) -> None:
    lines = records()[:40]
    for piece in pieces:
        lines[r.randrange(40)] = piece
    text = "\n".join(lines)
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    found, whole = read_large_json(path), read_json(path, text)
    assert (found is None) == (whole is None) and (found is None or same(found, whole))


PRINTED = {
    "pairs": "2024-05-01 12:{m:02d}:{s:02d} - INFO - step: {i} loss: {a:.5f} lr: {b:.3e}\n",
    "fractions": "Epoch [{e}/9], Step [{k}/100], Loss: {a:.4f}\n",
    "rows": "epoch {e} | train loss {a:.4f} | val loss {b:.4f}\n",
}


@pytest.mark.parametrize("form", PRINTED)
def test_printed_lines(tmp_path: Path, form: str) -> None:
    r = random.Random(2)
    text = "lr = 0.1\nmodel with 3 layers\n"
    for i in range(900):
        e = i if form == "rows" else i // 100
        text += PRINTED[form].format(
            i=i, e=e, k=i % 100 + 1, m=i // 60, s=i % 60, a=2 / (i + 1) + r.random(), b=r.random()
        )
        if i % 100 == 99 and form != "rows":
            text += f"validation step {i}: val loss {1 / (i + 1):.4f}\n"
    path = tmp_path / "run.log"
    path.write_text(text)
    found = read_large_stdout(path)
    assert same(found, read_stdout(path, text))
    assert found is not None and max(len(s.y) for s in found.series) == 900


def test_running_means_of_a_large_log_are_those_at_the_end_of_each_epoch(tmp_path: Path) -> None:
    text = "".join(
        f"Epoch: [{e}][{i}/300]\tLoss {9 - i / 300:.4f} ({8 - e}.{i:03d})\n" for e in range(5) for i in range(300)
    )
    path = tmp_path / "run.log"
    path.write_text(text)
    loss = read_large_stdout(path)
    assert loss is not None and loss.series[0].y.tolist() == [8.299, 7.299, 6.299, 5.299, 4.299]


def test_a_printed_log_that_is_thinned_keeps_an_even_share_of_all_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdout_blocks, "MOST_CELLS", 0)
    monkeypatch.setattr(stdout_blocks, "LEAST_ROWS", 1000)
    r = random.Random(0)
    path = tmp_path / "train.log"
    path.write_text("".join(f"step {i} loss {2 + r.random():.4f} lr 0.001\n" for i in range(6000)))
    found = read_large_stdout(path)
    assert found is not None
    loss = found.get("train/loss")
    assert loss is not None and 700 < len(loss.y) < 1600 and loss.x[-1] == 5999
    assert "only one row in" in found.warnings[0]


def large_logs(folder: Path) -> list[tuple[Path, str]]:
    table = "\n".join(",".join(row) for row in [HEAD, *rows(1500)])
    printed = "".join(PRINTED["rows"].format(e=i, a=2 / (i + 1), b=1 / (i + 1)) for i in range(2000))
    texts = {"a.csv": table, "b.jsonl": "\n".join(records() * 2), "c.log": printed, "d.log": "\r\n" + printed}
    for name, text in texts.items():
        (folder / name).write_text(text, newline="")
    return [(folder / name, text) for name, text in texts.items()]


def reader_of(path: Path) -> Callable[[Path], Log | None]:
    return {".csv": read_large_csv, ".jsonl": read_large_json, ".log": read_large_stdout}[path.suffix]


def test_processes_that_read_pieces_find_what_is_found_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {path: reader_of(path)(path) for path, _ in large_logs(tmp_path)}
    monkeypatch.setattr(pieces, "WORTH", 0)
    monkeypatch.setattr(pieces, "_useful", lambda: 2)
    bring, brought = pieces.Reader.made, []
    monkeypatch.setattr(pieces.Reader, "made", lambda self: brought.append(made := bring(self)) or made)
    for path, found in alone.items():
        assert same(reader_of(path)(path), found)
    assert len(brought) > 40 and None not in brought


@pytest.mark.parametrize("ill", ["dead", "confused"])
def test_what_such_a_process_does_not_bring_is_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ill: str
) -> None:
    monkeypatch.setattr(pieces, "WORTH", 0)
    monkeypatch.setattr(pieces, "_useful", lambda: 2)
    code = "" if ill == "dead" else "print('hello', flush=True); input()"
    (tmp_path / "boot.py").write_text(code)
    monkeypatch.setattr(pieces, "BOOT", tmp_path / "boot.py")
    for path, text in large_logs(tmp_path)[:2]:
        whole = read_csv(path, text) if path.suffix == ".csv" else read_json(path, text)
        assert same(reader_of(path)(path), whole)


def test_a_log_that_is_rotated_while_it_is_read_is_not_mixed_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "WORTH", 0)
    monkeypatch.setattr(pieces, "_useful", lambda: 2)
    path, text = large_logs(tmp_path)[0]

    def rotate(fraction: float, said: str = "") -> None:
        if fraction > 0.2 and not (tmp_path / "a.csv.1").exists():
            path.rename(tmp_path / "a.csv.1")
            path.write_text("step,train_loss\n" + "7,7\n" * 20_000)

    assert same(read_large_csv(path, rotate), read_csv(path, text))


def test_such_processes_end_when_the_reading_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "WORTH", 0)
    monkeypatch.setattr(pieces, "_useful", lambda: 2)
    started: list[pieces.Reader] = []
    begin = pieces.Reader.__init__
    monkeypatch.setattr(pieces.Reader, "__init__", lambda self, work: (started.append(self), begin(self, work))[1])

    def progress(fraction: float, text: str = "") -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    path, _ = large_logs(tmp_path)[0]
    with pytest.raises(KeyboardInterrupt):
        read_large_csv(path, progress)
    assert len(started) == 2 and all(reader.ended for reader in started)


def test_a_large_text_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("".join(f"In the year {i} there was no loss of {i % 7} sheep.\n" for i in range(2000)))
    assert read_large_stdout(path) is None


def test_a_very_long_table_is_thinned_and_keeps_what_matters() -> None:
    table = Growing(1, most=1000)
    y = np.sin(np.arange(20_000) / 500)
    y[12_345], y[777], y[4_242] = 50, -50, np.nan
    for start in range(0, len(y), 100):
        table.add(np.arange(start, start + 100.0), [y[start : start + 100]])
    rows, (cells,) = table.take()
    assert 500 <= len(cells) <= 1000 and table.every >= 32
    assert np.array_equal(cells, y[rows.astype(int)], equal_nan=True) and np.all(np.diff(rows) > 0)
    assert rows[0] == 0 and rows[-1] == 19_999 and {12_345, 777, 4_242} <= set(rows.tolist())


def test_blank_is_not_nan() -> None:
    assert is_blank(np.array([BLANK, np.nan, -np.nan, 1.0])).tolist() == [True, False, False, False]


def test_progress_goes_by_bytes_over_all_files(tmp_path: Path) -> None:
    text = ",".join(HEAD) + "\n" + "".join(",".join(row) + "\n" for row in rows(2000))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(text)
    told: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("probes.readers.logs.log.LARGE", 1000)
        found = discover([tmp_path], progress=lambda fraction, text="": told.append(fraction))
    assert len(found.logs) == 2 and len(told) > 20
    assert told == sorted(told) and told[-1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_very_long_log_is_thinned_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(growing, "MOST_ROWS", 1000)
    losses = [f"{2 / (1 + i / 1e3):.5f}" for i in range(20_000)]
    losses[7001], losses[12_345], losses[15_555] = "98.5", "NaN", "-3.25"
    path = tmp_path / f"log.{form}"
    if form == "csv":
        path.write_text("step,train_loss\n" + "".join(f"{i},{loss}\n" for i, loss in enumerate(losses)))
    else:
        path.write_text("".join(f'{{"step": {i}, "train_loss": {loss}}}\n' for i, loss in enumerate(losses)))
    log = read_large_csv(path) if form == "csv" else read_large_json(path)
    assert log is not None
    (curve,) = log.series
    assert 400 < len(curve.y) <= 1000 + 300 and "only one row in" in log.warnings[0]
    kept = dict(zip(curve.x.tolist(), curve.y.tolist(), strict=True))
    assert kept[7001] == 98.5 and np.isnan(kept[12_345]) and kept[15_555] == -3.25 and {0, 19_999} <= set(kept)
    assert all(value == float(losses[int(step)]) for step, value in kept.items() if step != 12_345)
    gaps = np.diff([step for step in kept if step not in (7001, 12_345, 15_555)])
    assert gaps.max() <= 2 * np.median(gaps)
