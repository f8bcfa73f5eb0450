"""Steps that are far too large or too small, from the optimizer's state."""

from pathlib import Path

import torch
from torch import nn
from trained import Trained, mlp

from probes.checks.update_ratio import run
from probes.discover import discover
from probes.finding import Finding


def probe(folder: Path) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def said(finding: Finding) -> dict[str, str]:
    return {v.diagnosis: v.verdict for v in finding.verdicts}


def adam(lr: float):
    return lambda m: torch.optim.Adam(m.parameters(), lr=lr)


def test_a_healthy_run_is_not_accused(train):
    torch.manual_seed(0)
    assert said(probe(train(mlp(), adam(3e-3), steps=600).folder)) == {}


def test_adams_first_step_that_replaces_the_weights_is_too_large(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=3), adam(1.0), steps=300)
    assert said(probe(trained.folder))["learning-rate-too-high"] == "confirmed"


def test_one_file_without_optimizer_state_cannot_be_checked(tmp_path):
    torch.save(mlp().state_dict(), tmp_path / "weights.pt")
    found = probe(tmp_path)
    assert found.status == "could-not-check"
    assert "optimizer.state_dict()" in found.needs


def test_sgd_at_a_rate_that_blew_the_weights_up_is_suspected_from_one_file(tmp_path):
    torch.manual_seed(0)
    model = mlp(act=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=9.0, momentum=0.9)
    x, y = torch.randn(256, 16), torch.randint(0, 4, (256,))
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "last.pt")
    assert said(probe(tmp_path))["learning-rate-too-high"] == "suspected"


def test_sgd_at_such_a_rate_is_suspected_where_the_weights_are_gone_too(tmp_path):
    torch.manual_seed(0)
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=9.0, momentum=0.9)
    nn.functional.cross_entropy(model(torch.randn(8, 16)), torch.randint(0, 4, (8,))).backward()
    optimizer.step()
    with torch.no_grad():
        model[2].weight.fill_(float("nan"))
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "last.pt")
    found = probe(tmp_path)
    assert said(found) == {"learning-rate-too-high": "suspected"}
    assert "1 of 3 weight matrices hold NaN" in found.verdicts[0].because


def test_sgd_at_a_usual_rate_is_not(train):
    torch.manual_seed(0)
    trained = train(mlp(act=nn.Tanh), lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9), steps=300)
    (trained.folder / "log.csv").unlink()
    assert "learning-rate-too-high" not in said(probe(trained.folder))


def test_a_loss_that_blew_up_at_first_and_ends_at_the_heads_chance_is_no_success(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=3), adam(1.0), steps=300)
    losses = [80.0, *[1.42, 1.40, 1.41] * 3]
    lines = "".join(f"{i},{loss}\n" for i, loss in enumerate(losses, 1))
    (trained.folder / "log.csv").write_text("epoch,train_loss\n" + lines)
    (verdict,) = probe(trained.folder).verdicts
    assert (verdict.diagnosis, verdict.verdict) == ("learning-rate-too-high", "suspected")
    assert "knowing nothing of 4 classes" in verdict.because


def test_weights_that_were_penalised_away_make_no_step_too_large(tmp_path):
    """An L1 term in the loss leaves weights as small as one step: the last step doubles them, and is still tiny."""
    torch.manual_seed(0)
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = torch.randn(64, 16), torch.randint(0, 4, (64,))
    rows = ["epoch,train_loss,val_loss,val_acc"]
    for step in range(600):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        (loss + sum(p.abs().sum() for p in model.parameters())).backward()
        optimizer.step()
        if step % 50 == 49:
            rows.append(f"{step // 50 + 1},1.386,{loss.item():.4f},0.25")
    (tmp_path / "log.csv").write_text("\n".join(rows))
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "last.pt")
    found = probe(tmp_path)
    assert float(found.facts["update_ratio"]) > 0.01
    assert said(found) == {}
