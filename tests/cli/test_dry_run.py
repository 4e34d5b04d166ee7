"""What would be run is shown, and nothing is."""

import pytest
import yaml
from runs import TINY

from node_cli.cli import node_train


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """The exit code of a command in an empty folder, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def shown(*words):
        code = node_train(words)
        assert not list(tmp_path.iterdir())
        said = capsys.readouterr()
        return code, said.out, said.err

    return shown


def test_a_single_run_is_told_with_its_folder(shown, tmp_path):
    code, out, _ = shown(*TINY, "hydra.run.dir=here", "--dry-run")
    assert code == 0
    assert "1 run of mnist-odenet" in out
    assert str(tmp_path / "here") in out


def test_the_cells_of_a_sweep_are_listed_with_their_folders(shown):
    code, out, _ = shown("-m", *TINY, "model=rk-net,odenet", "adjoint=direct,full", "--dry-run")
    assert code == 0
    assert "2     model=rk-net adjoint=full" in out
    assert "1_model=rk-net,adjoint=full" in out
    assert out.count("impossible: ") == 1
    assert "4 cells, 1 of them impossible" in out


def test_a_setting_that_no_run_can_have_is_refused_and_its_cell_named(shown):
    code, out, err = shown("-m", "seed=0,-1", "--dry-run")
    assert code == 2
    assert out.index("2     seed=-1") < out.index("impossible: seed=-1")
    assert "an integer from 0" in err


def test_of_a_search_it_is_told_what_it_chooses(shown):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    words = ("-m", "hydra/sweeper=optuna", "optimizer.lr=interval(0.1,1)")
    code, out, _ = shown(*words, "--dry-run")
    assert code == 0
    assert "a search of 20 cells for the least error" in out
    assert "optimizer.lr=interval(0.1,1)" in out


def test_the_settings_of_each_cell_are_documents_of_one_yaml(shown):
    code, out, _ = shown("-m", "tolerance.rtol=1e-2,1e-3", "seed=range(2)", "--cfg", "job")
    assert code == 0
    cells = [document for document in yaml.safe_load_all(out) if document]
    assert [(cell["tolerance"]["rtol"], cell["seed"]) for cell in cells] == [
        (0.01, 0), (0.01, 1), (0.001, 0), (0.001, 1),
    ]  # fmt: skip
    assert "# cell 4 of 4: tolerance.rtol=0.001 seed=1" in out


def test_a_part_that_is_not_there_is_told(shown):
    code, _, err = shown("--cfg", "job", "--package", "nope")
    assert code == 2
    assert "there is no such part" in err


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("node-train --dry-run solver=dop", {"solver=dopri5", "solver=dopri8"}),
        ("node-train solver=rk4,dopri8", {"solver=rk4,dopri8"}),
        ("node-train -m --dr", {"--dry-run"}),
        ("node-train tolerance.rt", {"tolerance.rtol="}),
        ("node-train tolerance=tight tolerance.rtol=", {"tolerance.rtol=1e-06"}),
    ],
)
def test_a_shell_is_offered_what_fits(shown, monkeypatch, line, candidates):
    monkeypatch.setenv("COMP_LINE", line)
    code, out, _ = shown("-sc", "query=bash")
    assert code == 0
    assert set(out.split()) == candidates
