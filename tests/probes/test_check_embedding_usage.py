"""Rows of an embedding table that were never used, and tables that nobody trains."""

import pytest
import torch
from torch import nn

from probes.checks.embedding_usage import run
from probes.discover import discover
from probes.finding import Finding

SEEN = 70


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(200, 8, padding_idx=0)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.embedding(x).mean(1))


def trained(folder, make, freeze: bool = False, touch=lambda m: None) -> Finding:
    """A model that sees the words 1..SEEN only, the first half of them only at first."""
    torch.manual_seed(0)
    model = Words()
    touch(model)
    model.embedding.weight.requires_grad_(not freeze)
    optimizer = make([p for p in model.parameters() if p.requires_grad])
    for step in range(400):
        x = torch.randint(1 if step < 200 else SEEN // 2 + 1, SEEN + 1, (32, 6))
        loss = nn.functional.cross_entropy(model(x), x[:, 0] % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "model.pt")
    return run(discover([folder]), lambda fraction, text="": None)


def row(found: Finding) -> dict[str, object]:
    return dict(zip(found.tables[0].columns, found.tables[0].rows[0], strict=True))


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_words_that_were_never_seen_are_counted_exactly_and_old_ones_told(tmp_path, decay):
    found = trained(tmp_path, lambda p: torch.optim.AdamW(p, weight_decay=decay))
    assert row(found)["never used"] == 200 - SEEN
    assert row(found)["not lately"] == SEEN // 2
    assert row(found)["all zero"] == 1
    assert found.verdicts == ()
    assert found.title == "rows of embedding never used: 130 of 200"


def test_coupled_decay_hides_which_rows_were_used_and_that_is_said(tmp_path):
    found = trained(tmp_path, lambda p: torch.optim.Adam(p, weight_decay=1e-3))
    assert row(found)["never used"] is None
    assert "coupled weight decay" in str(row(found)["not known because"])


def test_a_random_table_that_nobody_trains_is_suspected_where_the_run_stands_and_a_pretrained_one_is_not(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,train_loss,train_acc\n" + "".join(f"{i},1.1,0.33\n" for i in range(1, 11)))
    found = trained(tmp_path, torch.optim.Adam, freeze=True)
    assert [(v.diagnosis, v.verdict) for v in found.verdicts] == [("frozen-parameters", "suspected")]
    pretrained = trained(tmp_path, torch.optim.Adam, freeze=True, touch=lambda m: m.embedding.weight.data.mul_(0.3))
    assert pretrained.verdicts == ()


def test_without_an_optimizer_the_use_of_rows_is_not_known(tmp_path):
    torch.save(Words().state_dict(), tmp_path / "model.pt")
    found = run(discover([tmp_path]), lambda fraction, text="": None)
    assert found.verdicts == ()
    assert "not known" in found.title
    assert found.needs
