import io

import numpy as np
import pytest
from PIL import Image

from node_cli.figures.canvas import lay_out, new_figure
from node_cli.figures.confusion import confusion_matrix
from node_cli.figures.curves import curves_by_epoch
from node_cli.figures.panels import Panel, panels
from node_cli.tasks.densities.figures import Frame, animation
from node_cli.tasks.images.figures import labelled_samples

CLASSES = tuple("0123456789")


def test_samples_name_the_guess_and_where_wrong_the_truth():
    images = np.random.default_rng(0).random((9, 28, 28), dtype=np.float32)
    truth, guess = np.arange(9), np.arange(9).copy()
    guess[4] = 7
    figure = labelled_samples(images, truth, guess, CLASSES, "mnist-mini", inverted=True)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["0", "1", "2", "3", "7 (is 4)", "5", "6", "7", "8"]
    assert "mnist-mini" in figure.get_suptitle()


def test_confusion_matrix_counts_truth_by_row_and_guess_by_column():
    truth, guess = np.array([0, 0, 0, 3]), np.array([0, 0, 5, 3])
    axis = confusion_matrix(truth, guess, CLASSES, "mnist-mini").axes[0]
    shown = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in axis.texts}
    assert shown == {(0, 0): "2", (0, 5): "1", (3, 3): "1"}
    assert "75.00%" in axis.get_title()


def test_curves_start_at_epoch_one_and_skip_absent_tags():
    history = [{"a": 1.0}, {"a": 2.0, "b": 5.0}]
    axis = curves_by_epoch(history, {"a": "A", "b": "B", "c": "C"}, "y", "t").axes[0]
    drawn = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines
    }
    assert drawn == {"A": ([1, 2], [1.0, 2.0]), "B": ([2], [5.0])}


@pytest.mark.filterwarnings("error")
def test_a_run_without_a_history_has_empty_curves_and_no_legend():
    for history in ([], [{"a": 1.0}]):
        axis = curves_by_epoch(history, {"b": "B"}, "y", "t").axes[0]
        assert not axis.lines
        assert axis.get_legend() is None


def test_parts_that_have_their_places_stay_there_in_each_picture():
    figure, again = (curves_by_epoch([{"a": 1.0}], {"a": "A"}, "y", "t") for _ in range(2))
    lay_out(figure)
    place = figure.axes[0].get_position().bounds
    pictures = [io.BytesIO(), io.BytesIO()]
    for one, picture in zip((figure, again), pictures, strict=True):
        one.savefig(picture, format="png")
    assert pictures[0].getvalue() == pictures[1].getvalue()
    figure.savefig(io.BytesIO(), format="svg")
    assert figure.axes[0].get_position().bounds == place


def test_panels_draw_a_line_for_each_group_and_leave_out_rows_without_the_columns():
    rows = [
        {"mode": "a", "x": 1, "y_bytes": 10},
        {"mode": "b", "x": 1, "y_bytes": 20},
        {"mode": "a", "x": 2, "y_bytes": 30},
        {"mode": "a", "x": 3},
    ]
    drawn = [Panel("x", "y_bytes", "X", "Y", "linear", "linear", equal=True)]
    axis = panels(rows, by="mode", drawn=drawn, title="t").axes[0]
    lines = {line.get_label(): list(line.get_ydata()) for line in axis.lines}
    assert lines["a"] == [10, 30]
    assert lines["b"] == [20]
    assert axis.get_ylim()[0] == 0.0
    markers = {line.get_marker() for line in axis.lines if line.get_label() in "ab"}
    assert len(markers) == 2


def frames(count):
    random = np.random.default_rng(0)
    x = np.linspace(-2, 2, 20, dtype=np.float32)
    return [
        Frame(
            f"{number / (count - 1):.0%} of the way from the base",
            random.normal(0, 1.5 - 0.3 * number, (500, 2)).astype(np.float32),
            (number + 1) * np.exp(-((x[:, None] - 0.2 * number) ** 2) - x**2),
        )
        for number in range(count)
    ]


BOX = (-2.0, 2.0, -2.5, 1.5)


def drawn_anew(frame):
    """A frame as a figure of its own shows it."""
    figure = new_figure(6.6, 3.6)
    figure.suptitle(f"circles, {frame.label}")
    left, right = figure.subplots(1, 2)
    area = (BOX[:2], BOX[2:])
    left.hist2d(*frame.samples.T, bins=100, range=area, cmap="viridis")
    top = frame.density.max()
    right.imshow(frame.density, extent=BOX, origin="lower", cmap="viridis", vmin=0.0, vmax=top)
    for axis, title in ((left, "samples"), (right, "density")):
        axis.set_xlim(*BOX[:2])
        axis.set_ylim(*BOX[2:])
        axis.set_aspect("equal")
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelsize=7)
    figure.canvas.draw()
    picture = Image.fromarray(np.array(figure.canvas.buffer_rgba())[..., :3].copy())
    return picture.convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB")


def test_a_frame_of_an_animation_is_to_the_pixel_what_a_new_figure_would_show():
    film = Image.open(io.BytesIO(animation(frames(4), BOX, "circles")))
    assert film.n_frames == 4
    for number, frame in enumerate(frames(4)):
        film.seek(number)
        shown = np.asarray(film.convert("RGB"))
        assert np.array_equal(shown, np.asarray(drawn_anew(frame)))


def test_an_animation_lays_its_figure_out_once(monkeypatch):
    made = []

    def counted(*size):
        made.append(size)
        return new_figure(*size)

    monkeypatch.setattr("node_cli.tasks.densities.figures.new_figure", counted)
    animation(frames(5), BOX, "circles")
    assert len(made) == 1


@pytest.mark.parametrize("value", [0.0, np.nan], ids=["zero", "nan"])
def test_an_animation_shows_a_density_that_is_nowhere_above_zero(value):
    nothing = Frame("now", np.full((3, 2), 99.0, np.float32), np.full((4, 4), value, np.float32))
    assert animation([nothing, nothing], BOX, "circles")[:3] == b"GIF"
