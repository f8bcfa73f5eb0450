"""Train the parts classifier: python train.py"""

import csv
from pathlib import Path

import torch
from model import build_model, loss_fn

torch.manual_seed(0)
torch.set_num_threads(1)

centres = torch.randn(10, 32)


def sample(n):
    y = torch.randint(0, 10, (n,))
    return centres[y] + 1.2 * torch.randn(n, 32), y


x, y = sample(2000)
x_val, y_val = sample(500)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

model = build_model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.3)

with Path("metrics.csv").open("w", newline="") as file:
    log = csv.writer(file)
    log.writerow(["epoch", "train_loss", "train_acc", "val_loss", "val_acc"])
    for epoch in range(1, 13):
        model.train()
        total, right = 0.0, 0
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            out = model(x[rows])
            loss = loss_fn(out, y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
            right += (out.argmax(1) == y[rows]).sum().item()
        model.eval()
        with torch.no_grad():
            out = model(x_val)
            val_loss = loss_fn(out, y_val).item()
            val_acc = (out.argmax(1) == y_val).float().mean().item()
        log.writerow([epoch, total / len(x), right / len(x), val_loss, val_acc])
        print(f"epoch {epoch}: train {total / len(x):.4f}, val {val_loss:.4f}, accuracy {val_acc:.3f}")
        if epoch % 4 == 0:
            torch.save(
                {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()},
                f"checkpoint_{epoch:02d}.pt",
            )
