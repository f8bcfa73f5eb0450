"""A log and checkpoints of one run, of two, and of one that was cut short."""

from pathlib import Path

import pytest
import torch
from torch import nn
from trained import mlp, tables

from probes.checks.checkpoint_log_consistency import run
from probes.discover import discover
from probes.finding import Finding
from probes.saved.reported import scores


def probe(folder: Path) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def said(folder: Path) -> list[str]:
    return [v.verdict for v in probe(folder).verdicts]


def session(
    folder: Path, seed: int = 0, epochs: int = 6, lr: float = 0.02, first: int = 1, percent: bool = False
) -> None:
    """A run with a cosine schedule, a log with rounded numbers, and files that carry their scores.

    The file names the epoch just done (`first` = 0 or 1), the log the rate before the scheduler's step.
    """
    torch.manual_seed(seed)
    (x, y), (u, v), model = tables(400), tables(200), mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    lines, best = ["epoch,train_loss,val_loss,val_acc,lr"], 0.0
    for epoch in range(first, epochs + first):
        for rows in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            val_loss = float(nn.functional.cross_entropy(model(u), v))
            val_acc = float((model(u).argmax(1) == v).float().mean()) * (100 if percent else 1)
        best = max(best, val_acc)
        lines.append(
            f"{epoch},{float(loss.detach()):.4f},{val_loss:.4f},{val_acc:.3f},{scheduler.get_last_lr()[0]:.6g}"
        )
        scheduler.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "val_loss": val_loss}
        torch.save(
            state | {"best_acc": best / (100 if percent else 1)}, folder / f"model-{epoch}-val_loss={val_loss:.2f}.pt"
        )
    (folder / "log.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("first", "percent"), [(0, False), (1, True)])
def test_a_run_and_its_own_log_agree_in_every_number(tmp_path, first, percent):
    session(tmp_path, first=first, percent=percent)
    found = probe(tmp_path)
    assert found.verdicts == ()
    assert {row[-1] for row in found.tables[0].rows} == {"yes"}
    assert {row[1] for row in found.tables[0].rows} == {
        "val_loss (saved)",
        "best_acc (best)",
        "learning rate",
        "epoch",
    }


def test_the_log_of_another_run_is_suspected_with_the_numbers_that_it_lacks(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    session(tmp_path)
    session(other, seed=3, lr=0.0005)
    (tmp_path / "log.csv").write_bytes((other / "log.csv").read_bytes())
    for file in other.iterdir():
        file.unlink()
    assert said(tmp_path) == ["suspected"]
    assert "val_loss (saved) is" in probe(tmp_path).verdicts[0].because


def test_a_log_that_was_cut_short_is_told_and_not_accused(tmp_path):
    session(tmp_path)
    log = tmp_path / "log.csv"
    log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:4]))
    assert said(tmp_path) == ["inconclusive"]
    assert "the log ends at 3" in probe(tmp_path).verdicts[0].because


def test_a_rate_that_the_log_never_had_alone_is_inconclusive(tmp_path):
    session(tmp_path)
    for file in tmp_path.glob("*.pt"):
        state = torch.load(file)
        state["optimizer"]["param_groups"][0]["lr"] = 0.5
        torch.save(state, file)
    assert said(tmp_path) == ["inconclusive"]
    assert "learning rate is 0.5" in probe(tmp_path).verdicts[0].because


def test_another_model_in_the_folder_is_not_held_against_the_log(tmp_path):
    session(tmp_path)
    other = {"model": mlp(width=8).state_dict(), "epoch": 0, "val_loss": 77.0, "best_acc": 0.0}
    torch.save(other, tmp_path / "old.pt")
    assert said(tmp_path) == []


def test_the_better_of_two_files_is_named_by_the_log(tmp_path):
    for epoch in (4, 10):
        torch.save({"model": mlp().state_dict(), "epoch": epoch}, tmp_path / f"{epoch}.pt")
    losses = [1.3, 1.0, 0.8, 0.6, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0]
    rows = "".join(f"{epoch},{loss / 2},{loss}\n" for epoch, loss in enumerate(losses, 1))
    (tmp_path / "log.csv").write_text("epoch,train_loss,val_loss\n" + rows)
    found = probe(tmp_path)
    assert found.title == "checkpoint and log: 4.pt has the better val/loss, 0.6, than the last file"
    assert found.verdicts == ()


def test_a_log_that_calls_its_epochs_steps_is_not_behind_the_file(tmp_path):
    torch.save({"model": mlp().state_dict(), "epoch": 10, "step": 4400}, tmp_path / "last.pt")
    rows = "".join(f'{{"step": {epoch}, "val_loss": {2 - 0.1 * epoch}}}\n' for epoch in range(1, 11))
    (tmp_path / "log.jsonl").write_text(rows)
    assert said(tmp_path) == []


@pytest.mark.parametrize(
    ("saved", "found"),
    [
        ({"best_acc1": 0.9}, ("accuracy", None, 0.9, True)),
        ({"best_val_loss": torch.tensor(0.25)}, ("loss", "val", 0.25, True)),
        ({"metrics": {"valid_acc": 81.5}}, ("accuracy", "val", 81.5, False)),
        ({"callbacks": {"c": {"monitor": "val_loss", "best_model_score": 0.5}}}, ("loss", "val", 0.5, True)),
    ],
)
def test_scores_are_found_under_the_names_that_people_use(tmp_path, saved, found):
    torch.save({"state_dict": mlp().state_dict()} | saved, tmp_path / "c.pt")
    (score,) = scores(discover([tmp_path]).checkpoints[0])
    metric, split, value, best = found
    assert (score.split, score.best) == (split, best)
    assert score.metric == metric and score.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [("epoch=05-val_loss=2.77e-01", 0.277, 0.001), ("net_val_acc_0.93", 0.93, 0.01), ("ep3-val_loss0.5-v1", 0.5, 0.1)],
)
def test_scores_are_found_in_names_with_the_digit_they_were_rounded_to(tmp_path, name, value, unit):
    torch.save({"state_dict": mlp().state_dict()}, tmp_path / f"{name}.ckpt")
    (score,) = scores(discover([tmp_path]).checkpoints[0])
    assert (score.value, score.unit) == (pytest.approx(value), pytest.approx(unit))


def test_settings_that_name_a_loss_are_no_scores(tmp_path):
    torch.save(
        {"model": mlp().state_dict(), "args": {"loss": 1.0, "val_loss": 3.0}, "lr": 0.1}, tmp_path / "version_2.5.pt"
    )
    assert scores(discover([tmp_path]).checkpoints[0]) == []


def test_checkpoints_without_a_log_cannot_be_checked(tmp_path):
    torch.save({"model": mlp().state_dict(), "epoch": 3}, tmp_path / "c.pt")
    assert probe(tmp_path).status == "could-not-check"
