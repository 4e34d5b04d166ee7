from concurrent.futures import ThreadPoolExecutor

from node_cli.command_line.fresh_folder import claim_folder, free_folder


def test_a_free_folder_is_named_and_not_made(tmp_path):
    assert free_folder(tmp_path / "run") == tmp_path / "run"
    assert not (tmp_path / "run").exists()


def test_a_taken_name_gets_a_number(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run_2").mkdir()
    assert free_folder(tmp_path / "run") == tmp_path / "run_3"


def test_runs_that_start_together_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(claim_folder, [tmp_path / "day" / "run"] * 40))
    assert len(set(folders)) == 40
    assert all(folder.is_dir() for folder in folders)
