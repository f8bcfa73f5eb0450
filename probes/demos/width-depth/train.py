"""Train the moon classifier in four sizes: python train.py"""

import csv
import math
from pathlib import Path

import torch
from model import SIZES, build_model, loss_fn

torch.manual_seed(10)
torch.set_num_threads(1)


def sample(n):
    y = torch.randint(0, 2, (n,))
    angle = math.pi * (torch.rand(n) + y)
    x = torch.stack([angle.cos() + y - 0.5, angle.sin() + 0.5 * y - 0.25], dim=1) + 0.25 * torch.randn(n, 2)
    wrong = torch.rand(n) < 0.1
    return x, torch.where(wrong, 1 - y, y)


x, y = sample(150)
x_val, y_val = sample(1000)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

for run, (name, (width, depth)) in enumerate(SIZES.items(), 1):
    torch.manual_seed(11)
    model = build_model(width, depth)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with Path(f"run{run}_{name}.csv").open("w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["epoch", "train_loss", "val_loss", "val_acc"])
        for epoch in range(1, 61):
            total = 0.0
            for rows in torch.randperm(len(x)).split(30):
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
    size = sum(p.numel() for p in model.parameters())
    print(f"{name:7} {size:7} parameters: train {total / len(x):.4f}, val {val_loss:.4f}, accuracy {val_acc:.3f}")
