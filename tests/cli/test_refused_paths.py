"""node-predict on paths of SDEs: what it is given wrong is told in one sentence."""

import pytest

pytest.importorskip("torchsde")

CSV = "id,time,up,right"
GIVEN = f"{CSV}\na,101,50,1\na,102,51,0\n"
SERIES = {
    "": "INPUT given.csv",
    f"{CSV}\n": "no row below it",
    "id,time,up\na,101,2\n": "it has the columns up; the run's data have up, right",
    f"{CSV}\na,102,1,1\na,101,1,1\n": "an earlier time",
    f"{CSV}\na,101,,2\na,102,2,2\n": "up is missing at time 101",
    f"{CSV}\na,101,1,2\n": "series a has only the time 101",
}


@pytest.mark.parametrize("family", ["latent-sde", "paths"])
def test_series_that_do_not_fit(runs, refused, tmp_path, family):
    run, out = runs(family), ("-o", "out.csv")
    for text, told in SERIES.items():
        (tmp_path / "given.csv").write_text(text)
        assert told in refused(run, "given.csv", *out)
    assert refused(run, *out).startswith("INPUT is missing")
    (tmp_path / "given.csv").write_text(GIVEN)
    (tmp_path / "times.csv").write_text("id,time\nb,103\n")
    line = refused(run, "given.csv", *out, "--times-file", "times.csv")
    assert "the file of times has the series b, and INPUT has not" in line
    line = refused(run, "given.csv", *out, "--samples", 10**12, "--times", "103")
    assert "memory" in line
    line = refused(run, "given.csv", *out, "--times", "1e12")
    assert "steps of 0.0" in line
    assert "at most 10,000,000 are taken" in line


def test_times_before_the_first(runs, refused, tmp_path):
    (tmp_path / "given.csv").write_text(GIVEN)
    asked = ("given.csv", "-o", "out.csv", "--times")
    line = refused(runs("latent-sde"), *asked, "99,103")
    assert line.startswith("time 99 of series a: the paths of this latent SDE begin at 100.")
    line = refused(runs("paths"), *asked, "100.5,103")
    assert line.startswith("time 100.5 of series a: an SDE is solved forwards in time")
    assert "the first state, which is at 101;" in line
    (tmp_path / "given.csv").write_text(GIVEN.replace("a,101", "a,7"))
    line = refused(runs("latent-sde"), *asked, "103")
    assert line.startswith("INPUT: time 7 of series a: the paths of this latent SDE begin at 100.")


def test_a_series_without_a_value(runs, refused, tmp_path):
    (tmp_path / "given.csv").write_text(f"{GIVEN}b,101,,\n")
    line = refused(runs("latent-sde"), "given.csv", "-o", "out.csv")
    assert line.startswith("INPUT: id b has no value")


def test_one_series_takes_no_file(runs, refused, tmp_path):
    run, out = runs("segments"), ("-o", "out.csv")
    (tmp_path / "given.csv").write_text(GIVEN)
    line = refused(run, "given.csv", *out)
    assert line.startswith("INPUT: data=ou-segments is one series")
    assert refused(run, *out, "--times", "-1,2").startswith("time -1: the paths of this latent SDE")
    (tmp_path / "times.csv").write_text("a,1\n")
    line = refused(run, *out, "--times-file", "times.csv")
    assert line == "--times-file: there is one series; give times without ids."


def test_points_at_other_times_than_all_of_training(runs, refused, node_predict, tmp_path):
    """Where these were the same, the encoder is not told of any; the last distance goes on."""
    run, out = runs("lorenz"), ("-o", "out.csv", "--times", "0.6", "--device", "cpu")

    def write(times):
        rows = [f"a,{time:.6f},1,2,20" for time in times]
        (tmp_path / "given.csv").write_text("\n".join(["id,time,x,y,z", *rows]) + "\n")

    step = 0.3 / 9
    for count in (1, 5, 10, 14):
        write([step * number for number in range(count)])
        done = node_predict(run, "given.csv", *out)
        assert done.returncode == 0, done.stderr
    (tmp_path / "out.csv").unlink()
    write([0, step, 2.5 * step])
    line = refused(run, "given.csv", *out)
    assert line.startswith(
        "INPUT: time 0.083333 of id a: all series of training had the same times"
    )
    assert "point 3 was at 0.0666667;" in line
