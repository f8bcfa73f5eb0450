"""Train the quadrant classifier: python train.py"""

import csv
from pathlib import Path

import torch
from model import build_model, loss_fn

torch.manual_seed(5)
torch.set_num_threads(1)


def sample(n):
    x = torch.randn(n, 2)
    return x, (x[:, 0] * x[:, 1] > 0).long()


x, y = sample(2000)
x_val, y_val = sample(1000)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

model = build_model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

with Path("metrics.csv").open("w", newline="") as file:
    log = csv.writer(file)
    log.writerow(["epoch", "train_loss", "val_loss", "val_acc"])
    for epoch in range(1, 16):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            out = model(x_val)
            val_loss = loss_fn(out, y_val).item()
            val_acc = (out.argmax(1) == y_val).float().mean().item()
        log.writerow([epoch, total / len(x), val_loss, val_acc])
        print(f"epoch {epoch}: train {total / len(x):.4f}, val {val_loss:.4f}, accuracy {val_acc:.3f}")
        if epoch % 5 == 0:
            torch.save(
                {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()},
                f"checkpoint_{epoch:02d}.pt",
            )
