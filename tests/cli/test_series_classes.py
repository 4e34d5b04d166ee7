"""Series with classes, on the command line."""

import csv
import gzip
import json
import math
import re
from pathlib import Path

import pytest
from runs import same_weights

TINY = ("task=latent-series", "trainer.log_every=1", "trainer.threads=1", "trainer.figures=false")


def final(folder):
    return json.loads((folder / "summary.json").read_text())["final"]


@pytest.fixture
def labelled(tmp_path):
    """Waves of two frequencies in a file, with classes; of different lengths, with gaps."""
    rows = ["id,time,wave,kind"]
    for i in range(30):
        for t in range(6 + i % 3):
            value = math.sin((1 + i % 2) * t + 0.3 * i)
            cell = "" if (t + i) % 5 == 4 else f"{value:.4f}"
            rows.append(f"{i},{t + 0.1 * (i % 4)},{cell},{('slow', 'fast')[i % 2]}")
    (tmp_path / "waves.csv").write_text("\n".join(rows) + "\n")
    return ("data=csv", "data.path=waves.csv", "data.label=kind", "data.batch_size=8",
            "data.validation=0.2", "data.test=0.2")  # fmt: skip


QUICK = ("solver=rk4", "solver.num_steps=1", "trainer.max_steps=2", "hydra.run.dir=run")


def test_a_latent_ode_learns_the_classes_of_the_users_series(
    node_train, node_predict, labelled, tmp_path
):
    kept = ("trainer.figures=true", "trainer.keep_predictions=true")
    done = node_train(*TINY, *labelled, *QUICK, *kept)
    assert done.returncode == 0, done.stderr
    assert "val cross-entropy  val accuracy" in done.stdout
    assert "test cross-entropy" in done.stdout
    values = final(tmp_path / "run")
    assert 0 <= values["accuracy/test"] <= 1
    assert 0 <= values["roc_auc/test"] <= 1
    weighted = 100 * values["cross_entropy/val"]
    assert values["loss/val"] - weighted == pytest.approx(-values["iwae/val"], abs=20)
    check_predictions(node_predict, tmp_path)
    names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert {"confusion_matrix", "accuracy_per_epoch", "reconstructions"} <= names


def check_predictions(node_predict, tmp_path):
    """Of the file itself, with its labels in it; those of the test are those that were kept."""
    done = node_predict("run", "waves.csv", "-o", "answers.csv")
    assert done.returncode == 0, done.stderr
    answers = rows_of(tmp_path / "answers.csv")
    assert {row["id"] for row in answers} == {str(number) for number in range(30)}
    for row in answers:
        slow, fast = float(row["p(slow)"]), float(row["p(fast)"])
        assert slow + fast == pytest.approx(1, abs=1e-5)
        assert row["class"] == ("slow" if slow > fast else "fast")
    kept = rows_of(tmp_path / "run" / "predictions.csv")
    assert len({row["id"] for row in kept}) == 6
    assert {"time", "wave", "wave_low", "p(fast)", "class"} <= kept[0].keys()


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_an_ode_rnn_learns_them_and_goes_on_to_the_bit(node_train, labelled, tmp_path):
    words = (*TINY, *labelled, *QUICK, "model=ode-rnn", "schedule=constant")
    whole = node_train(*words, "trainer.max_steps=4", "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    node_train(*words, "trainer.max_steps=2")
    resumed = node_train("trainer.resume=run", "trainer.max_steps=4")
    assert resumed.returncode == 0, resumed.stderr
    assert same_weights(tmp_path / "whole", tmp_path / "run")
    assert final(tmp_path / "whole")["roc_auc/test"] == final(tmp_path / "run")["roc_auc/test"]


def test_published_series_name_their_licence_when_a_run_begins(node_train, tmp_path, monkeypatch):
    rows = [
        f"1,2010-03-{day:02} {hour:02}:{minute:02}:00,{100 + 10 * hour + minute}"
        for day in range(1, 9)
        for hour in range(0, 24, 6)
        for minute in (1, 6, 11, 16)
    ]
    folder = tmp_path / "site" / "bokeh_sampledata"
    (folder / "_data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('not to be imported')")
    content = "\n".join(["isig,datetime,glucose", *rows]) + "\n"
    (folder / "_data" / "CGM.csv.gz").write_bytes(gzip.compress(content.encode()))
    monkeypatch.syspath_prepend(tmp_path / "site")
    done = node_train(
        *TINY, "data=glucose", "data.batch_size=4", "trainer.max_steps=1", "hydra.run.dir=run"
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "glucose: glucose of one person in 2010, public domain, 6 hours a series" in said
    assert (
        "26 series for training, 3 for validation, 3 for the test; 128 points of one value" in said
    )
    (folder / "_data" / "CGM.csv.gz").write_bytes(
        gzip.compress(content.replace(",101", ",102").encode())
    )
    refused = node_train("trainer.resume=run", "trainer.max_steps=2")
    assert refused.returncode == 1
    assert "belongs to a run on other data" in refused.stderr


def test_stays_of_physionet_are_classified(node_train, tmp_path):
    (tmp_path / "set-a").mkdir()
    outcomes = ["RecordID,In-hospital_death"]
    for number in range(20):
        rows = ["Time,Parameter,Value", f"00:00,RecordID,{number}", "00:00,Age,60"]
        rows += [f"{h:02}:{7 * number % 60:02},HR,{60 + number + h}" for h in (1, 3, 9)]
        (tmp_path / "set-a" / f"{number}.txt").write_text("\n".join(rows) + "\n")
        outcomes.append(f"{number},{number % 2}")
    (tmp_path / "Outcomes-a.txt").write_text("\n".join(outcomes) + "\n")
    done = node_train(
        *TINY, "data=physionet", "data.root=.", "data.batch_size=8", "trainer.max_steps=2",
        "hydra.run.dir=run", "solver=rk4", "solver.num_steps=1", "hydra.run.dir=run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ODC-By 1.0" in done.stdout
    assert "roc_auc/test" in final(tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("task=latent-series", "data=physionet"), "data=physionet needs the files of the"),
        (("task=latent-series", "data=physionet", "data.root=x", "data.sets=[d]"), "data.sets"),
        (("task=latent-series", "data=csv", "data.path=x", "data.label=id"), "the column of ids"),
        (("task=dynamics", "data=csv", "data.path=x", "data.label=y"), "learns no classes"),
        (("task=latent-series", "data=glucose", "data.hours=5"), "1, 2, 3, 4, 6, 8, 12, 24"),
        (("task=latent-series", "data=hopper", "model.class_weight=-1"), "a finite number >= 0"),
    ],
)
def test_what_does_not_go_is_said_in_one_sentence(node_train, words, says):
    ended = node_train(*words)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_commands_of_the_docs_are_settings_that_there_are(config_of):
    text = (Path(__file__).parents[2] / "docs" / "series-data.md").read_text(encoding="utf-8")
    commands = re.findall(r"^(?:\$ )?node-train (.*)$", text, re.MULTILINE)
    assert len(commands) >= 8
    for command in commands:
        assert config_of(*command.split()).data.name in command
