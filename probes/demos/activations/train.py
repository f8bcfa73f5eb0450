"""Train the ring classifier once with each activation: python train.py"""

import csv
from pathlib import Path

import torch
from model import ACTIVATIONS, build_model, loss_fn

torch.manual_seed(6)
torch.set_num_threads(1)


def sample(n):
    x = torch.randn(n, 2)
    return x, (x.norm(dim=1) > 1.18).long()


x, y = sample(2000)
x_val, y_val = sample(600)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

for run, name in enumerate(ACTIVATIONS, 1):
    torch.manual_seed(7)  # the same order of the batches for all three
    model = build_model(name)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    with Path(f"run{run}_{name}.csv").open("w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["epoch", "train_loss", "val_loss", "val_acc"])
        for epoch in range(1, 13):
            total = 0.0
            for rows in torch.randperm(len(x)).split(40):
                optimizer.zero_grad()
                loss = loss_fn(model(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
            with torch.no_grad():
                out = model(x_val)
                val_loss = loss_fn(out, y_val).item()
                val_acc = (out.argmax(1) == y_val).float().mean().item()
            log.writerow([epoch, total / len(x), val_loss, val_acc])
    print(f"{name:8} train {total / len(x):.4f}, val {val_loss:.4f}, accuracy {val_acc:.3f}")
