"""Gradients that vanish, explode, go astray or are fine, from the state and from one backward pass."""

from pathlib import Path

import pytest
import torch
from torch import nn
from trained import Trained, mlp

from probes.checks.gradient_norms import by_state, run
from probes.discover import discover
from probes.finding import Finding

HEAD = "import torch\nfrom torch import nn\nloss_fn = nn.CrossEntropyLoss()\n"
BATCH = "def load_batch():\n    return torch.randn(32, 16), torch.randint(0, 4, (32,))\n"


def probe(folder: Path, target: Path | None = None) -> Finding:
    return run(discover([folder], target=target), lambda fraction, text="": None)


def said(finding: Finding, diagnosis: str) -> dict[str, str]:
    return {v.source: v.verdict for v in finding.verdicts if v.diagnosis == diagnosis}


def target(folder: Path, build: str, loss: str = "") -> Path:
    path = folder / "model.py"
    path.write_text(f"{HEAD}{loss}\ndef build_model():\n    return {build}\n\n{BATCH}")
    return path


def momentum(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def test_eight_sigmoid_layers_vanish_and_the_stuck_loss_confirms_it(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=8, act=nn.Sigmoid), momentum, steps=200)
    found = probe(trained.folder)
    assert said(found, "vanishing-gradients") == {"optimizer-state": "confirmed"}
    assert float(found.facts["gradient_ratio"]) < 1e-2
    assert len(found.tables[0].rows) == 9


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.GELU])
def test_a_net_that_learns_is_not_accused(train, act):
    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=4, act=act), lambda m: torch.optim.Adam(m.parameters(), lr=1e-3), steps=300)
    assert said(probe(trained.folder), "vanishing-gradients") == {"optimizer-state": "ruled_out"}


def test_a_shallow_net_has_no_profile(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=1), momentum, steps=100)
    assert said(probe(trained.folder), "vanishing-gradients") == {"optimizer-state": "inconclusive"}


def test_the_backward_pass_sees_what_plain_sgd_does_not_keep(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=8, act=nn.Sigmoid), lambda m: torch.optim.SGD(m.parameters(), lr=0.1), steps=100)
    assert probe(trained.folder).status == "could-not-check"
    body = "nn.Sequential(nn.Linear(16, 32), nn.Sigmoid(), "
    body += "nn.Linear(32, 32), nn.Sigmoid(), " * 7 + "nn.Linear(32, 4))"
    found = probe(trained.folder, target(trained.folder, body))
    assert said(found, "vanishing-gradients") == {"batch": "confirmed"}


def test_layers_in_a_plain_list_get_gradients_that_nobody_uses(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        f"{HEAD}class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.hidden = [nn.Linear(16, 16)]\n"
        "        self.head = nn.Linear(16, 4)\n\n"
        "    def forward(self, x):\n"
        "        return self.head(self.hidden[0](x).relu())\n\n"
        f"def build_model():\n    return Net()\n\n{BATCH}"
    )
    found = probe(tmp_path, path)
    assert said(found, "frozen-parameters") == {"batch": "confirmed"}
    assert next(v for v in found.verdicts if v.diagnosis == "frozen-parameters").kind == "proved"


def test_a_finite_loss_with_a_gradient_that_is_not_names_the_loss_code(tmp_path):
    loss = "def loss_fn(outputs, targets):\n    return (outputs * 0).square().sum(1).sqrt().mean()\n"
    found = probe(tmp_path, target(tmp_path, "nn.Linear(16, 4)", loss))
    assert said(found, "numerical-instability") == {"batch": "confirmed"}


def test_the_running_statistics_of_a_model_stay_as_they_are(tmp_path):
    from probes.model.target import backward, batch, fit, load_target

    loaded = load_target(target(tmp_path, "nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))"))
    model = fit(loaded, None).model
    before = model[1].running_mean.clone()
    backward(loaded, model, *batch(loaded))
    assert torch.equal(model[1].running_mean, before)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "no build_model"),
        ("import sys\nsys.exit(3)\n", "SystemExit"),
        ("def build_model(: pass\n", "SyntaxError"),
        (f"{HEAD}{BATCH}def build_model():\n    return 3\n", "returned a int"),
        (f"{HEAD}{BATCH}def build_model():\n    return nn.Linear(5, 4)\n", "forward pass failed"),
    ],
)
def test_a_target_that_does_not_work_is_one_sentence(tmp_path, text, words):
    path = tmp_path / "model.py"
    path.write_text(text)
    found = probe(tmp_path, path)
    assert found.status == "could-not-check"
    assert words in found.title
    assert "Traceback" not in found.title


def test_large_first_weights_that_end_in_nan_are_exploding_gradients(train):
    torch.manual_seed(0)
    large = "nn.Sequential(*[m for _ in range(5) for m in (nn.Linear(16, 16), nn.ReLU())], nn.Linear(16, 4))"
    text = f"    model = {large}\n    for p in model.parameters(): nn.init.normal_(p, std=3.0)\n    return model\n"
    trained: Trained = train(mlp(), lambda m: torch.optim.SGD(m.parameters(), lr=1e3), steps=60)
    (trained.folder / "log.csv").write_text("epoch,train_loss\n1,900.0\n" + "2,nan\n" * 8)
    path = target(trained.folder, "None")
    path.write_text(path.read_text().replace("    return None\n", text))
    assert said(probe(trained.folder, path), "exploding-gradients") == {"batch": "confirmed"}


def test_a_log_that_ends_in_nan_is_no_exploding_gradient_if_the_first_ones_are_small(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), lambda m: torch.optim.SGD(m.parameters(), lr=0.1), steps=60)
    (trained.folder / "log.csv").write_text("epoch,train_loss\n1,1.4\n" + "2,nan\n" * 8)
    body = "nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))"
    found = probe(trained.folder, target(trained.folder, body))
    assert said(found, "exploding-gradients") == {"batch": "inconclusive"}


class LowRank(nn.Module):
    """Low-rank pairs on a body that is not trained; the second of each pair starts at zero."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body = body.requires_grad_(False)
        linear = [m for m in body if isinstance(m, nn.Linear)]
        self.lora_A = nn.ModuleList(nn.Linear(m.in_features, 4, bias=False) for m in linear)
        self.lora_B = nn.ModuleList(nn.Linear(4, m.out_features, bias=False) for m in linear)
        for up in self.lora_B:
            nn.init.zeros_(up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pairs = zip(self.lora_A, self.lora_B, strict=True)
        for module in self.body:
            down, up = next(pairs) if isinstance(module, nn.Linear) else (None, None)
            x = module(x) if down is None or up is None else module(x) + up(down(x))
        return x


def test_the_halves_of_low_rank_pairs_are_no_profile_over_depth(train):
    torch.manual_seed(0)
    run_ = train(LowRank(mlp(depth=3)), lambda m: torch.optim.Adam(m.parameters(), lr=1e-4), steps=300)
    (run_.folder / "log.csv").unlink()
    profile = by_state(run_.artifacts.last)[0]
    assert profile is not None and profile.partial
    assert "suspected" not in said(probe(run_.folder), "vanishing-gradients").values()


def test_a_layer_that_died_is_no_gradient_that_fades_with_depth(train):
    """Once the second layer is dead nothing comes through it nor to layer 4: old ones are left in the buffers."""

    def kill(step: int, model: nn.Module) -> None:
        if step == 20:
            with torch.no_grad():
                model[2].bias.fill_(-1000.0)

    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=4), momentum, steps=300, before_step=kill)
    found = probe(trained.folder)
    assert said(found, "vanishing-gradients") == {"optimizer-state": "inconclusive"}
    assert float(found.facts["gradient_ratio"]) < 1e-6
    assert "in one step, at layer 4" in found.verdicts[0].because
