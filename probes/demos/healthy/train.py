"""Train the picture classifier: python train.py"""

import csv
from pathlib import Path

import torch
from model import build_model, loss_fn

torch.manual_seed(3)
torch.set_num_threads(1)

shapes = torch.randn(6, 1, 8, 8)


def sample(n):
    y = torch.randint(0, 6, (n,))
    return shapes[y] + 1.3 * torch.randn(n, 1, 8, 8), y


x, y = sample(3000)
x_val, y_val = sample(600)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

model = build_model()
optimizer = torch.optim.Adam(model.parameters(), lr=7e-4)

with Path("history.csv").open("w", newline="") as file:
    log = csv.writer(file)
    log.writerow(["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"])
    for epoch in range(1, 11):
        model.train()
        total, right = 0.0, 0
        for rows in torch.randperm(len(x)).split(100):
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
        log.writerow([epoch, total / len(x), right / len(x), val_loss, val_acc, 7e-4])
        print(f"epoch {epoch}: {total / len(x):.4f} {val_loss:.4f} {val_acc:.3f}")
        if epoch in (3, 6, 10):
            torch.save(
                {
                    "epoch": epoch,
                    "model_state_dict": model.state_dict(),
                    "optimizer_state_dict": optimizer.state_dict(),
                },
                f"checkpoint_{epoch:02d}.pt",
            )
