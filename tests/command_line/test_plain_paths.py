"""Paths of the user's files as they stand on the command line."""

from pathlib import Path

import pytest

from node_cli.command_line.overrides import parse
from node_cli.command_line.plain_paths import with_plain_paths


def value(word, swept=False):
    (given,) = with_plain_paths([word], swept)
    return parse([given])[0].value()


@pytest.mark.parametrize(
    "name",
    [
        "my file.csv", "a=b.csv", "a[1].csv", "a,b.csv", "größe.csv", "数据.csv", "a'b.csv",
        'a"b.csv', "a{1}.csv", "(x).csv", "a:b.csv", "50%.csv", "back\\slash.csv", "#1.csv", "3",
        "true", "1e5", " lead.csv", "trail ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["data.path", "data.root", "+data.path"])
def test_any_name_is_taken_as_it_is(key, name):
    assert value(f"{key}={name}") == name


def test_home_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert value("data.path=~/x y.csv") == str(tmp_path / "x y.csv")
    assert value("data.path=~nobody-of-this-name/x.csv") == "~nobody-of-this-name/x.csv"
    Path("~odd.csv").touch()
    assert value("data.path=~odd.csv") == "~odd.csv"


@pytest.mark.parametrize(
    "word",
    ["data.path='a b.csv'", 'data.path="a b.csv"', "data.path=null", "data.path=${data.root}",
     "data.path=", "seed=1", "data.id=a b", "data.path"],
)  # fmt: skip
def test_others_stay(word):
    assert with_plain_paths([word], False) == [word]


def test_a_sweep_has_commas_between_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def swept(word):
        return with_plain_paths([word], True)[0]

    assert swept("data.path=a b.csv,c=d.csv") == "data.path='a b.csv','c=d.csv'"
    assert parse([swept("data.path=a b.csv,c=d.csv")])[0].is_sweep_override()
    assert swept("data.path=glob(*)") == "data.path=glob(*)"
    Path("a,b.csv").touch()
    assert swept("data.path=a,b.csv") == "data.path='a,b.csv'"


def test_a_run_reads_such_a_file(node_train, tmp_path):
    name = "my data [1]=ß.csv"
    lines = [f"{i % 7 - 3 + i / 100:.2f},{(i * i) % 11 + i / 90:.3f}" for i in range(60)]
    (tmp_path / name).write_text("\n".join(["u,v", *lines]))
    words = ("task=cnf-tabular", "data.batch_size=16", "trainer.max_steps=1", "model.hidden=[4,4]")
    plain = ("trainer.figures=false", "trainer.threads=1", "hydra.run.dir=run")
    done = node_train(*words, *plain, f"data.path={name}")
    assert done.returncode == 0, done.stderr
    assert "60 rows · 2 columns · header u, v" in done.stdout
    again = node_train("trainer.resume=run", "trainer.max_steps=2")
    assert again.returncode == 0, again.stderr
