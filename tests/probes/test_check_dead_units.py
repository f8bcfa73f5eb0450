"""Dead units found from files alone and on a batch, and living ones left alone."""

from pathlib import Path

import pytest
import torch
from torch import nn
from trained import Trained, mlp

from probes.artifacts import Artifacts
from probes.checks.dead_units import run
from probes.discover import discover
from probes.finding import Finding
from probes.saved.starved import starved

MAKERS = {
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3),
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=2e-3, weight_decay=0.05),
    "momentum": lambda m: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9),
    "momentum-l2": lambda m: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3),
    "adam-l2": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3, weight_decay=1e-3),
}


def probe(artifacts: Artifacts) -> Finding:
    return run(artifacts, lambda fraction, text="": None)


def said(artifacts: Artifacts) -> dict[str, str]:
    return {v.source: v.verdict for v in probe(artifacts).verdicts if v.diagnosis == "dead-relu"}


def kill(units: int, at: int = 1):
    """Push the first units of the first layer to where no input reaches them, before a given step."""

    def now(step: int, model: nn.Module) -> None:
        if step == at:
            with torch.no_grad():
                model[0].bias[:units] = -1000.0

    return now


def silent(run: Trained) -> list[int]:
    """The truth, by layer: units that fire on no sample at all."""
    counts, x = [], run.x
    with torch.no_grad():
        for layer in run.model:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                counts.append(int((x <= 0).all(0).sum()))
    return counts


def target(folder: Path, body: str = "mlp") -> Path:
    """A target file for the nets of these tests."""
    (folder / "model.py").write_text(
        "import torch\nfrom torch import nn\n\ndef build_model():\n"
        "    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))\n\n"
        "loss_fn = nn.CrossEntropyLoss()\n\ndef load_batch():\n"
        "    return tuple(torch.load('sample.pt'))\n"
    )
    return folder / "model.py"


@pytest.mark.parametrize("optimizer", MAKERS)
def test_units_killed_during_training_are_counted_from_the_file_alone(train, optimizer):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), MAKERS[optimizer], steps=480, before_step=kill(20, at=120))
    layers, why = starved(trained.artifacts.last)
    assert why == ""
    truth = silent(trained)
    assert truth[0] >= 20
    assert abs(layers[0].nearly - truth[0]) <= 1
    assert abs(layers[1].nearly - truth[1]) <= 1
    if optimizer in {"adam", "adamw"}:
        assert layers[0].dead == truth[0]
        assert layers[0].age == pytest.approx(360, abs=45)


@pytest.mark.parametrize("optimizer", MAKERS)
def test_a_healthy_net_is_not_accused(train, optimizer):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), MAKERS[optimizer], steps=300)
    assert set(said(trained.artifacts).values()) <= {"ruled_out"}


def test_half_a_layer_without_gradient_is_only_suspected_when_no_code_names_relu(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), MAKERS["adam"], steps=480, before_step=kill(32, at=60))
    assert said(trained.artifacts) == {"optimizer-state": "suspected"}
    target(trained.folder)
    assert said(trained.artifacts) == {"optimizer-state": "confirmed"}


def test_the_batch_and_the_state_agree_on_the_units(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), MAKERS["adam"], steps=480, before_step=kill(32, at=60))
    torch.save((trained.x, trained.y), trained.folder / "sample.pt")
    artifacts = discover([trained.folder], target=target(trained.folder))
    assert said(artifacts) == {"optimizer-state": "confirmed", "batch": "confirmed"}
    assert probe(artifacts).facts["dead_share"] == "100%"


def test_units_that_died_a_moment_ago_are_not_called_dead(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), MAKERS["adam"], steps=300, before_step=kill(30, at=295))
    layers, _ = starved(trained.artifacts.last)
    assert layers[0].dead == 0


def test_a_unit_that_fires_on_one_sample_in_a_hundred_is_not_dead(train):
    torch.manual_seed(0)

    def rare(step: int, model: nn.Module) -> None:
        if step == 1:
            with torch.no_grad():
                model[0].bias[:8] = -model[0].weight[:8].norm(dim=1) * 3.0

    trained: Trained = train(mlp(), MAKERS["adam"], steps=400, before_step=rare)
    layers, _ = starved(trained.artifacts.last)
    with torch.no_grad():
        fires = (trained.model[0](trained.x) > 0).float().mean(0)
    assert layers[0].dead <= int((fires < 0.005).sum())


def test_a_run_whose_gradients_fade_everywhere_is_not_called_dead(train):
    torch.manual_seed(0)
    x, y = torch.randn(32, 16), torch.randint(0, 4, (32,))
    trained: Trained = train(mlp(), lambda m: torch.optim.Adam(m.parameters(), lr=0.02), steps=600, data=(x, y))
    truth, (layers, _) = silent(trained), starved(trained.artifacts.last)
    assert [layer.dead for layer in layers] <= [t + 1 for t in truth]


def test_saturated_tanh_units_are_saturated_and_not_dead(train):
    torch.manual_seed(0)

    def push(step: int, model: nn.Module) -> None:
        if step == 1:
            with torch.no_grad():
                model[0].bias[:24] = 1000.0

    trained: Trained = train(mlp(act=nn.Tanh), MAKERS["adam"], steps=400, before_step=push)
    found = {v.diagnosis: v.verdict for v in probe(trained.artifacts).verdicts}
    assert found["saturated-activations"] == "suspected"
    assert found["dead-relu"] == "ruled_out"


@pytest.mark.parametrize(
    ("make", "steps", "why"),
    [
        (lambda m: torch.optim.SGD(m.parameters(), lr=0.1), 300, "plain SGD"),
        (MAKERS["adam"], 90, "too few"),
    ],
)
def test_what_cannot_be_told_is_said_and_not_called_healthy(train, make, steps, why):
    torch.manual_seed(0)
    found = probe(train(mlp(), make, steps=steps).artifacts)
    assert found.status == "could-not-check"
    assert why in found.title
    assert found.needs


def test_a_target_that_fails_leaves_the_verdict_of_the_file(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), MAKERS["adam"], steps=200)
    broken = trained.folder / "model.py"
    broken.write_text("raise RuntimeError('not today')\n")
    found = probe(discover([trained.folder], target=broken))
    assert [v.source for v in found.verdicts] == ["optimizer-state"]


def test_layers_that_were_pruned_away_on_purpose_are_not_called_dead(train):
    """A block whose second layer is all zero, as pruning of residual networks leaves it, has no gradient before it."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inputs, self.one, self.two = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 32)
            self.head = nn.Linear(32, 4)
            self.two.requires_grad_(False)
            nn.init.zeros_(self.two.weight)

        def forward(self, x):
            x = self.inputs(x).relu()
            return self.head((x + self.two(self.one(x).relu())).relu())

    torch.manual_seed(0)
    trained: Trained = train(Block(), MAKERS["momentum"], steps=300)
    (trained.folder / "log.csv").unlink()
    assert set(said(trained.artifacts).values()) <= {"ruled_out"}


def test_units_that_no_input_can_wake_are_proved_without_any_optimizer_state(tmp_path):
    model = mlp()
    with torch.no_grad():
        model[2].weight[:20] = -model[2].weight[:20].abs()
        model[2].bias[:20] = -0.1
    torch.save(model.state_dict(), tmp_path / "model.pt")
    assert probe(discover([tmp_path])).status == "could-not-check"  # which activation there is, is not known
    target(tmp_path)
    found = probe(discover([tmp_path]))
    assert [(v.diagnosis, v.verdict, v.kind, v.source) for v in found.verdicts] == [
        ("dead-relu", "confirmed", "proved", "weights")
    ]
    assert "20 of 32 units" in found.verdicts[0].because
    assert found.title == "dead units in layer 2: 20 of 32"


class Normed(nn.Module):
    """Convolutions behind which batch normalisation makes the size of the weights void."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.c2, self.b2 = nn.Conv2d(8, 12, 3, padding=1), nn.BatchNorm2d(12)
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.b1(self.c1(x.view(-1, 1, 4, 4))))
        return self.head(torch.relu(self.b2(self.c2(x))).mean((2, 3)))


def test_blown_up_weights_before_a_normalisation_are_not_dead_for_want_of_gradient(train):
    torch.manual_seed(0)

    def change(step: int, model: nn.Module) -> None:
        if step == 80:
            with torch.no_grad():
                model.c1.weight *= 3000
                model.c2.weight *= 3000
                model.b2.bias[:5] = -30.0

    trained: Trained = train(Normed(), MAKERS["momentum-l2"], steps=400, before_step=change)
    assert [layer.nearly for layer in starved(trained.artifacts.last)[0]] == [0, 5]


@pytest.mark.parametrize("killed", [0, 5])
def test_units_before_a_batch_normalisation_are_counted_in_spite_of_coupled_decay(train, killed):
    torch.manual_seed(0)

    def kill(step: int, model: nn.Module) -> None:
        if step == 80:
            with torch.no_grad():
                model.b2.bias[:killed] = -30.0

    trained: Trained = train(Normed(), MAKERS["adam-l2"], steps=400, before_step=kill)
    assert [layer.nearly for layer in starved(trained.artifacts.last)[0]] == [0, killed]


def test_converged_gradients_at_another_beta_are_no_saturation(train):
    torch.manual_seed(0)
    made = []

    def make(model: nn.Module) -> torch.optim.Optimizer:
        made.append(torch.optim.Adam(model.parameters(), lr=5e-3))
        return made[0]

    def end(step: int, model: nn.Module) -> None:
        if step == 300:  # as a one-cycle schedule ends: hardly any rate, much momentum
            made[0].param_groups[0].update(lr=1e-6, betas=(0.95, 0.999))

    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 4, (300,), generator=generator)
    x = 2 * torch.randn(4, 16, generator=generator)[y] + torch.randn(300, 16, generator=generator)
    trained: Trained = train(mlp(), make, steps=500, before_step=end, data=(x, y))
    assert [layer.saturated for layer in starved(trained.artifacts.last)[0]] == [0, 0]


def starve(train) -> Trained:
    """A net of GELUs whose first layer is pushed to their flat end, without a log."""
    torch.manual_seed(0)
    trained: Trained = train(mlp(act=nn.GELU), MAKERS["adam"], steps=480, before_step=kill(32, at=60))
    (trained.folder / "log.csv").unlink()
    return trained


def test_units_of_a_smooth_activation_are_starved_and_never_called_dead(train):
    trained = starve(train)
    text = "import torch\nfrom torch import nn\nact = nn.GELU()\nloss.backward()\noptimizer.step()\n"
    (trained.folder / "train.py").write_text(text)
    found = probe(trained.artifacts)
    assert found.title == "starved units in layer 0: 32 of 32"
    assert {v.diagnosis: v.verdict for v in found.verdicts} == {
        "dead-relu": "ruled_out",
        "saturated-activations": "suspected",
    }
    assert all("starved" in v.because for v in found.verdicts)


def test_a_bare_file_of_any_activation_holds_starved_units(train):
    found = probe(starve(train).artifacts)
    assert found.title == "starved units in layer 0: 32 of 32"
    assert [v.verdict for v in found.verdicts] == ["suspected"]
    assert "they are starved. Which activation follows is not known" in found.verdicts[0].because


@pytest.mark.parametrize(("settings", "diagnosis"), [("gelu", "saturated-activations"), ("relu", "dead-relu")])
def test_the_files_own_settings_may_name_the_activation(train, settings, diagnosis):
    trained = starve(train)
    path = max(trained.folder.glob("*.pt"))
    state = torch.load(path)
    torch.save({**state, "config": {"hidden_act": settings, "optimizer": "relu"}}, path)
    accused = {v.diagnosis for v in probe(discover([path])).verdicts if v.verdict in {"confirmed", "suspected"}}
    assert accused == {diagnosis}


@pytest.mark.parametrize("optimizer", ["adamw", "adam-l2"])
@pytest.mark.parametrize("decay", [0.01, 0.02])
def test_decay_that_may_lie_in_the_gradients_hides_no_dead_unit_and_clears_none(train, optimizer, decay):
    """A file of an old torch, in which nothing tells Adam from AdamW but a guess from the decay."""
    torch.manual_seed(0)
    kind = {"adamw": torch.optim.AdamW, "adam-l2": torch.optim.Adam}[optimizer]
    trained: Trained = train(
        mlp(), lambda m: kind(m.parameters(), lr=2e-3, weight_decay=decay), steps=480, before_step=kill(24, at=60)
    )
    target(trained.folder)
    for path in trained.folder.glob("*.pt"):
        state = torch.load(path)
        del state["optimizer"]["param_groups"][0]["decoupled_weight_decay"]
        torch.save(state, path)
    found = {v.diagnosis: v for v in probe(trained.artifacts).verdicts}["dead-relu"]
    assert found.verdict in {"suspected", "confirmed", "inconclusive"}
    assert all(layer.blind for layer in starved(trained.artifacts.last)[0])
    if optimizer == "adamw":
        assert "no gradient" in found.because and " 24 of 32 units" in f" {found.because}"


def test_a_run_in_which_no_gradient_is_left_anywhere_tells_nothing_of_units(train):
    torch.manual_seed(0)

    def perfect(step: int, model: nn.Module) -> None:
        for p in model.parameters():
            p.register_hook(torch.zeros_like) if step == 150 else None

    found = probe(train(mlp(), MAKERS["adam"], steps=480, before_step=perfect).artifacts)
    assert {v.verdict for v in found.verdicts} <= {"inconclusive"}
    assert any("the run is over" in str(row) for row in found.tables[0].rows)


@pytest.mark.parametrize("optimizer", MAKERS)
def test_a_layer_that_is_dead_as_a_whole_is_named_and_not_the_ones_around_it(train, optimizer):
    torch.manual_seed(0)

    def kill(step: int, model: nn.Module) -> None:
        if step == 60:
            with torch.no_grad():
                model[2].bias.fill_(-1000.0)

    trained: Trained = train(mlp(depth=3), MAKERS[optimizer], steps=480, before_step=kill)
    layers, _ = starved(trained.artifacts.last)
    assert layers[1].nearly == 32 and layers[2].nearly < 16
    because = next(v.because for v in probe(trained.artifacts).verdicts if v.diagnosis == "dead-relu")
    assert "32 of 32 units of layer 2" in because
    assert "none comes back to the layers before" in because


def test_gradients_that_vanish_with_depth_are_not_units_that_died(train):
    torch.manual_seed(0)
    layers = [part for i in range(10) for part in (nn.Linear(16 if i == 0 else 32, 32), nn.Sigmoid())]
    trained: Trained = train(nn.Sequential(*layers, nn.Linear(32, 4)), MAKERS["momentum"], steps=300)
    (trained.folder / "log.csv").unlink()
    found, _ = starved(trained.artifacts.last)
    assert "fade with depth" in found[0].why_not
    assert not any(said(trained.artifacts).get(source) == "suspected" for source in ("optimizer-state", "weights"))


def test_a_gate_whose_outputs_no_layer_reads_has_no_relu_after_it(tmp_path):
    model = nn.ModuleDict({"inp": nn.Linear(16, 32), "gate": nn.Linear(32, 8), "out": nn.Linear(32, 4)})
    with torch.no_grad():
        model["gate"].weight.copy_(-model["gate"].weight.abs())
        model["gate"].bias.fill_(-1.0)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    target(tmp_path)
    assert said(discover([tmp_path])) == {}


def test_adam_without_a_first_beta_remembers_one_step_and_is_not_called_healthy(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), lambda m: torch.optim.Adam(m.parameters(), lr=1e-3, betas=(0.0, 0.9)), steps=300)
    found = probe(trained.artifacts)
    assert [v.verdict for v in found.verdicts] == ["inconclusive"]
    assert "only some of them" in found.verdicts[0].because


def test_a_layer_at_the_edge_of_what_vanishes_has_no_dead_units(train):
    """Twelve tanh layers drawn far too small: somewhere on the way down a part of a layer's units passes the limit."""
    torch.manual_seed(0)
    model = mlp(width=48, depth=12, act=nn.Tanh)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.03)
            nn.init.zeros_(layer.bias)
    trained: Trained = train(model, lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9), steps=300)
    assert "suspected" not in said(trained.artifacts).values()
