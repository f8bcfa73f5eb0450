"""Train the ring classifier: python train.py"""

import json
from pathlib import Path

import torch
from model import build_model, loss_fn

torch.manual_seed(1)
torch.set_num_threads(1)


def sample(n):
    x = torch.randn(n, 2)
    return x, (x.norm(dim=1) > 1.18).long()


x, y = sample(1200)
x_val, y_val = sample(400)
torch.save({"x": x, "y": y}, "train.pt")
torch.save({"x": x_val, "y": y_val}, "val.pt")

model = build_model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

with Path("log.jsonl").open("w") as log:
    for epoch in range(1, 16):
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
            out = model(x_val)
            val_loss = loss_fn(out, y_val).item()
            val_acc = (out.argmax(1) == y_val).float().mean().item()
        line = {"epoch": epoch, "train_loss": total / len(x), "val_loss": val_loss, "val_acc": val_acc}
        log.write(json.dumps(line) + "\n")
        print(line)
        if epoch % 5 == 0:
            torch.save(
                {"epoch": epoch, "state_dict": model.state_dict(), "optimizer": optimizer.state_dict()},
                f"epoch{epoch}.pt",
            )
