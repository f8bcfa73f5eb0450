"""Train the measurement classifier: python train.py"""

import csv
from pathlib import Path

import torch
from model import build_model, loss_fn

torch.manual_seed(4)
torch.set_num_threads(1)

centres = 2 * torch.randn(2, 10)


def sample(n):
    y = torch.randint(0, 2, (n,))
    return centres[y] + 1.5 * torch.randn(n, 10), y


x, y = sample(800)
x_val, y_val = sample(200)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

model = build_model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

with Path("losses.csv").open("w", newline="") as file:
    log = csv.writer(file)
    log.writerow(["epoch", "train_loss", "val_loss"])
    for epoch in range(1, 41):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            val_loss = loss_fn(model(x_val), y_val).item()
        log.writerow([epoch, total / len(x), val_loss])
        print(f"epoch {epoch}: {total / len(x):.4f} {val_loss:.4f}")
        if epoch in (1, 10, 25, 40):
            torch.save(
                {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()},
                f"ckpt_{epoch:03d}.pt",
            )
