"""Train the customer model without and with dropout: python train.py"""

import csv
from pathlib import Path

import torch
from model import build_model, loss_fn

torch.manual_seed(8)
torch.set_num_threads(1)

weights = torch.randn(30) / 30**0.5


def sample(n):
    x = torch.randn(n, 30)
    return x, (x @ weights + 0.6 * torch.randn(n) > 0).long()


x, y = sample(200)
x_val, y_val = sample(400)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

for name, dropout in (("run1_no_dropout", 0.0), ("run2_dropout", 0.5)):
    torch.manual_seed(9)  # the same first weights for both
    model = build_model(dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    with Path(f"{name}.csv").open("w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["epoch", "train_loss", "train_loss_eval_mode", "val_loss", "val_acc"])
        for epoch in range(1, 31):
            model.train()
            total = 0.0
            for rows in torch.randperm(len(x)).split(20):
                optimizer.zero_grad()
                loss = loss_fn(model(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
            model.eval()
            with torch.no_grad():
                fitted = loss_fn(model(x), y).item()
                out = model(x_val)
                val_loss = loss_fn(out, y_val).item()
                val_acc = (out.argmax(1) == y_val).float().mean().item()
            log.writerow([epoch, total / len(x), fitted, val_loss, val_acc])
            if epoch % 10 == 0:
                print(f"{name} epoch {epoch}: train {total / len(x):.4f}, val {val_loss:.4f}, accuracy {val_acc:.3f}")
