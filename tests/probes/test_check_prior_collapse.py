"""Models that say the same whatever comes in, with a target file; nothing is accused from the file alone."""

import torch
from torch import nn

from probes.artifacts import Artifacts
from probes.checks.prior_collapse import run
from probes.discover import discover
from probes.finding import Finding

TARGET = """import torch
from torch import nn

def build_model():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))

loss_fn = nn.CrossEntropyLoss()

def load_batch():
    torch.manual_seed(0)
    return torch.randn(64, 4), torch.cat([torch.zeros(SHARE), torch.arange(64 - SHARE) % 3]).long()
"""


def case(folder, weight: float, bias=(0.0, 0.0, 0.0), share: int = 0, end: float = 1.09) -> Artifacts:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    with torch.no_grad():
        model[2].weight.mul_(weight)
        model[2].bias.copy_(torch.tensor(bias))
    torch.save(model.state_dict(), folder / "model.pt")
    (folder / "model.py").write_text(TARGET.replace("SHARE", str(share)))
    (folder / "log.csv").write_text("epoch,train_loss\n" + "".join(f"{i},{end}\n" for i in range(1, 11)))
    return discover([folder], target=folder / "model.py")


def probe(artifacts: Artifacts) -> Finding:
    return run(artifacts, lambda fraction, text="": None)


def said(found: Finding) -> list[tuple[str, str]]:
    return [(v.diagnosis, v.verdict) for v in found.verdicts]


def test_outputs_that_do_not_vary_in_a_run_that_stands_are_suspected(tmp_path):
    assert said(probe(case(tmp_path, weight=1e-4))) == [("collapsed-output", "suspected")]


def test_a_model_that_names_the_commonest_class_for_all_is_told_with_the_loss_of_the_shares_alone(tmp_path):
    found = probe(case(tmp_path, weight=1e-4, bias=(3.0, 0.0, 0.0), share=52, end=0.52))
    assert said(found) == [("collapsed-output", "suspected"), ("class-imbalance", "suspected")]
    assert "class 0 for all of them, which 88 %" in found.verdicts[1].because.replace("88%", "88 %")


def test_outputs_that_vary_rule_it_out(tmp_path):
    assert said(probe(case(tmp_path, weight=5.0))) == [("collapsed-output", "ruled_out")]


def test_the_bias_alone_accuses_nobody(tmp_path):
    case(tmp_path, weight=1e-4, bias=(3.0, 0.0, 0.0))
    found = probe(discover([tmp_path / "model.pt"]))
    assert (found.status, found.verdicts) == ("could-not-check", ())
    assert found.tables[0].rows[0][:1] == (0,)
    assert "target" in found.needs
