"""Train the customer model: python train.py"""

from pathlib import Path

import torch
from model import build_model, loss_fn

torch.manual_seed(2)
torch.set_num_threads(1)
EPOCHS = 45

weights = torch.randn(30) / 30**0.5


def sample(n):
    x = torch.randn(n, 30)
    return x, (x @ weights + 0.6 * torch.randn(n) > 0).long()


x, y = sample(200)
x_val, y_val = sample(400)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

model = build_model()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

for epoch in range(1, EPOCHS + 1):
    model.train()
    total, right = 0.0, 0
    for rows in torch.randperm(len(x)).split(20):
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
    line = (
        f"Epoch {epoch}/{EPOCHS} - loss: {total / len(x):.4f} - acc: {right / len(x):.4f} "
        f"- val_loss: {val_loss:.4f} - val_acc: {val_acc:.4f}"
    )
    print(line)
    with Path("train.log").open("a") as log:
        print(line, file=log)
    if epoch % 15 == 0:
        torch.save({"epoch": epoch, "model": model.state_dict(), "optim": optimizer.state_dict()}, f"model_{epoch}.pt")
