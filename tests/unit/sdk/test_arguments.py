"""Arguments of another type: one TypeError that names the argument, and nothing done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aimdvc
from aimdvc.errors import InvalidName, UnsafePath
from aimdvc.sdk.artifact import Artifact
from aimdvc.sdk.trial import Trial

Made = tuple[Artifact, Trial]
UUID = "6c7b0000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIMDVC_HOME", str(tmp_path_factory.mktemp("data")))
        return aimdvc.create_artifact("a", "t"), aimdvc.create_trial(trial_name="t")


any_aimdvc: Any = aimdvc
WRONG: dict[str, Callable[[Any, Any], object]] = {
    "artifact_name is int": lambda a, t: any_aimdvc.create_artifact(1, "t"),
    "artifact_type is None": lambda a, t: any_aimdvc.create_artifact("a", None),
    "description is None": lambda a, t: any_aimdvc.create_artifact("a", "t", None),
    "aliases is 'production'": lambda a, t: any_aimdvc.create_artifact("a", "t", aliases="production"),
    r"aliases is \[1\]": lambda a, t: any_aimdvc.create_artifact("a", "t", aliases=[1]),
    "artifact_path is int": lambda a, t: any_aimdvc.grab_artifact(1),
    "artifact_id is int": lambda a, t: any_aimdvc.grab_artifact(artifact_id=1),
    "artifact_ref is int": lambda a, t: any_aimdvc.grab_artifact(artifact_ref=1),
    "repo_path is int": lambda a, t: any_aimdvc.upload_artifact(artifact_id=a.id, repo_path=1),
    "repo_name is int": lambda a, t: any_aimdvc.upload_artifact(artifact_id=a.id, repo_name=1),
    "file_path is int": lambda a, t: a.add_file(1),
    "file_path is bytes": lambda a, t: a.add_file(b"x"),
    "dir_path is None": lambda a, t: a.add_dir(None),
    "key is int": lambda a, t: a.add_file("x", 1),
    "key is bytes": lambda a, t: a.add_reference("https://example.org/x", b"x"),
    "uri is int": lambda a, t: a.add_reference(1),
    "size is str": lambda a, t: a.add_reference("https://example.org/x", size="5"),
    "sha256 is int": lambda a, t: a.add_reference("https://example.org/x", sha256=5),
    "progress is int": lambda a, t: a.add_file(__file__, progress=5),
    "folder_id is int": lambda a, t: a.upload(folder_id=1),
    "folder_path is int": lambda a, t: a.upload(folder_path=1),
    "make_folder is str": lambda a, t: a.upload(make_folder="no"),
    "key is None": lambda a, t: a.open(None),
    "key is tuple": lambda a, t: a.local_path(()),
    "other is str": lambda a, t: a.diff("b"),
    "name is int": lambda a, t: a.alias(1),
    "artifact_data is int": lambda a, t: a.parse_from_dict(1),
    "repo_data is str": lambda a, t: Artifact(a.to_dict(), "repo"),  # type: ignore[arg-type]
    "object_data is int": lambda a, t: Artifact(a.to_dict(), a.repo, 5),  # type: ignore[arg-type]
    "host is int": lambda a, t: any_aimdvc.login(1, UUID),
    "api_key is int": lambda a, t: any_aimdvc.login("https://example.org", 1),
    "timeout is str": lambda a, t: any_aimdvc.login("https://example.org", UUID, timeout="5"),
    "trial_path is int": lambda a, t: any_aimdvc.create_trial(1),
    "trial_name is int": lambda a, t: any_aimdvc.load_trial(trial_name=1),
    "trial_dir is int": lambda a, t: any_aimdvc.upload_trial(trial_dir=1),
    "folder_id is list": lambda a, t: any_aimdvc.create_trial(folder_id=[]),
    "folder_path is list": lambda a, t: any_aimdvc.create_trial(folder_path=[]),
    "make_folder is int": lambda a, t: any_aimdvc.create_trial(make_folder=1),
    "artifact is str": lambda a, t: t.mark_input("default/a"),
    "artifact is NoneType": lambda a, t: t.mark_output(None),
}


@pytest.mark.parametrize("message", WRONG)
def test_an_argument_of_another_type_is_named(made: Made, message: str) -> None:
    expected = message.replace(" is None", " is NoneType") if message.endswith("None") else message
    with pytest.raises(TypeError, match=f"^{expected}, expected "):
        WRONG[message](*made)
    artifact, trial = made
    assert (list(artifact.files()), artifact.is_open, artifact.name) == ([], True, "a")
    assert (trial.input_artifacts, trial.output_artifacts) == ([], [])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"commit": "abc"}, "40 hex digits"),
        ({"commit": 5}, "commit is 5"),
        ({"description": 5}, "description is 5"),
        ({"_remote": "abc"}, "_remote"),
        ({"_remote": [{"host": "h"}]}, "_remote"),
    ],
)
def test_a_dict_with_values_of_another_kind_is_no_artifact(made: Made, changed: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made[0].parse_from_dict(made[0].to_dict() | changed)


def test_a_repo_of_no_artifact_s_name_and_an_object_without_a_key_are_refused(made: Made) -> None:
    data = made[0].to_dict()
    with pytest.raises(InvalidName):
        Artifact(data, {"name": "../x", "type": "t"})
    with pytest.raises(ValueError, match="lack its key"):
        Artifact(data, {"name": "x", "type": "t"}, [{"uri": "https://example.org/x"}])
    with pytest.raises(UnsafePath):
        Artifact(data, {"name": "x", "type": "t"}, [{"key": "../x", "uri": "https://example.org/x"}])


def test_what_names_nothing_or_is_no_utf_8_is_refused(made: Made, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(FileNotFoundError):
        made[0].add_dir("")
    with pytest.raises(UnsafePath, match="UTF-8"):
        made[0].add_file(tmp_path / "x", "\ud800")
    with pytest.raises(ValueError, match="folder_id is 'x', expected a UUID"):
        aimdvc.create_trial(folder_id="x")
    with pytest.raises(ValueError, match="timeout is 0"):
        aimdvc.login("https://example.org", UUID, timeout=0)
