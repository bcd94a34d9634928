"""Trains a small network with plain PyTorch and records it as a trial.

Run it anywhere: `python pytorch_trial.py --epochs 5 --lr 0.05`. It needs no server; with `--upload` the trial goes to
the server that `aimdvc.login` knows. With several processes (`torchrun --nproc-per-node 2 pytorch_trial.py`) the first
one records.
"""

import argparse

import torch
from torch import nn

import aimdvc


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--upload", action="store_true")
    options = parser.parse_args()

    torch.manual_seed(0)
    points = torch.randn(600, 2)
    labels = (points.square().sum(1) < 1.2).long()  # inside of a circle, or not
    train = torch.utils.data.TensorDataset(points[:500], labels[:500])
    batches = torch.utils.data.DataLoader(train, batch_size=50, shuffle=True)
    held_out, wanted = points[500:], labels[500:]

    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    loss_of = nn.CrossEntropyLoss()

    # What fails inside of the block makes a trial that has failed, a kill too.
    with aimdvc.create_trial(trial_name="circle", trial_params=options) as trial:
        step = 0
        for epoch in range(options.epochs):
            for inputs, targets in batches:
                loss = loss_of(model(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                trial.log("train", {"loss": loss}, step, epoch)
            with torch.no_grad():
                outputs = model(held_out)
                accuracy = (outputs.argmax(1) == wanted).float().mean()
                trial.log("val", {"loss": loss_of(outputs, wanted), "accuracy": accuracy}, step, epoch)
    if options.upload:
        trial.upload(make_folder=True)

    if trial.is_recording:
        last = trial.metrics["validation"][-1]["value"]
        print(f"{trial.name}: {trial.status}, accuracy {last['accuracy']:.2f}, recorded in {trial.path}")


if __name__ == "__main__":
    main()
