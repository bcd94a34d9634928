"""The life of a data set and a model: made, uploaded, found elsewhere, trained on, traced back, changed.

Needs a server (`aimdvc serve DIR`) in AIMDVC_HOST, a key in AIMDVC_API_KEY, and `pip install pandas vega_datasets`:

    python docs/examples/lifecycle.py
"""

import os
import tempfile
from pathlib import Path

import numpy
import pandas
from vega_datasets import data

import aimdvc

SPECIES = ["setosa", "versicolor", "virginica"]
MEASURES = ["sepalLength", "sepalWidth", "petalLength", "petalWidth"]


def make_data_set(directory: Path) -> aimdvc.Artifact:
    """Writes the irises to a file, and uploads them as the first version of a data set."""
    table = directory / "iris" / "measures.csv"
    table.parent.mkdir()
    data.iris().to_csv(table, index=False)
    artifact = aimdvc.create_artifact("iris", "dataset", "150 irises", aliases=["production"])
    artifact.add_dir(table.parent)
    artifact.upload()
    return artifact


def train() -> tuple[aimdvc.Trial, aimdvc.Artifact]:
    """Finds the data set by its name, fits a model to it, and uploads the model with all that made it."""
    irises = aimdvc.grab_artifact(artifact_ref="default/iris:production")
    irises.download()
    table = pandas.read_csv(str(irises.local_path("iris/measures.csv")))
    values = table[MEASURES].to_numpy()
    kinds = table["species"].map(SPECIES.index).to_numpy()
    with aimdvc.create_trial(trial_name="softmax", trial_params={"rate": 0.1, "steps": 200}) as trial:
        trial.mark_input(irises)
        weights = fit(values, kinds, trial)
        model = aimdvc.create_artifact("iris-model", "model", "softmax regression")
        with tempfile.TemporaryDirectory() as scratch:
            numpy.save(Path(scratch) / "weights.npy", weights)
            model.add_file(Path(scratch) / "weights.npy")
        trial.mark_output(model)
    model.upload()
    trial.upload()
    return trial, model


def fit(values: numpy.ndarray, kinds: numpy.ndarray, trial: aimdvc.Trial) -> numpy.ndarray:
    """Returns the weights of a softmax regression; logs loss and accuracy as it goes."""
    inputs = numpy.hstack([(values - values.mean(0)) / values.std(0), numpy.ones((len(values), 1))])
    wanted = numpy.eye(len(SPECIES))[kinds]
    weights = numpy.zeros((inputs.shape[1], len(SPECIES)))
    for step in range(trial.params["steps"]):
        odds = numpy.exp(inputs @ weights)
        odds /= odds.sum(1, keepdims=True)
        weights -= trial.params["rate"] * inputs.T @ (odds - wanted) / len(inputs)
        if step % 20 == 0:
            right = float((odds.argmax(1) == kinds).mean())
            loss = float(-numpy.log((odds * wanted).sum(1)).mean())
            trial.log("train", {"loss": loss, "accuracy": right}, step=step)
    return weights


def change(first: aimdvc.Artifact, directory: Path) -> aimdvc.Artifact:
    """Uploads a second version, in which one file differs."""
    table = directory / "iris" / "measures.csv"
    table.write_text(table.read_text().replace("setosa", "Setosa"))
    second = aimdvc.create_artifact("iris", "dataset", "150 irises, in capitals")
    second.add_dir(table.parent)
    second.upload()
    print(f"iris {first.version} → {second.version}:", first.diff(second))
    return second


def main() -> None:
    """Does all of it, the second part as somebody else's machine would."""
    aimdvc.login()
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as elsewhere:
        os.environ["AIMDVC_HOME"] = f"{here}/aimdvc"
        irises = make_data_set(Path(here))
        print("uploaded", irises)
        os.environ["AIMDVC_HOME"] = f"{elsewhere}/aimdvc"
        trial, model = train()
        print("trained", trial, "on", trial.input_artifacts, "and made", model)
        os.environ["AIMDVC_HOME"] = f"{here}/aimdvc"
        change(irises, Path(here))


if __name__ == "__main__":
    main()
