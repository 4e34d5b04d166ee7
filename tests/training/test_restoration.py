from copy import deepcopy

import pytest
import torch
from training.states import ADAM, Named, equal, trained

from node_cli.errors import CheckpointError
from node_cli.schema.optimizer import AdamConfig, SGDConfig
from node_cli.training.restoration import restore_model, restore_optimizer, restore_scaler


def test_weights_come_back():
    model, _ = trained()
    other, _ = trained()
    restore_model("last.pt", other, model.state_dict())
    assert equal(other.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    ("change", "told_as"),
    [
        ({"weight": None}, "it has no weight"),
        ({"extra": torch.ones(1)}, "the model has no extra"),
        ({"weight": torch.ones(3, 2)}, r"weight has the shape \[3, 2\], where \[2, 3\] is needed"),
        ({"bias": torch.ones(2, dtype=torch.int64)}, r"bias is of torch\.int64"),
        ({"bias": {"a": 1}}, "bias is of another kind"),
    ],
)
def test_weights_of_another_model_are_refused_and_change_nothing(change, told_as):
    model, _ = trained()
    saved = {**trained()[0].state_dict(), **change}
    saved = {name: tensor for name, tensor in saved.items() if tensor is not None}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"does not fit this run: {told_as}"):
        restore_model("last.pt", model, saved)
    assert equal(model.state_dict(), before)


@pytest.mark.parametrize(
    "config",
    [
        ADAM,
        AdamConfig(name="adamw", lr=0.01, betas=(0.9, 0.999), weight_decay=0.1),
        SGDConfig(name="sgd", lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0),
        SGDConfig(name="sgd", lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0),
    ],
    ids=["adam", "adamw", "momentum", "sgd"],
)
def test_an_optimizer_goes_on_as_if_never_stopped(config):
    torch.manual_seed(0)
    model, optimizer = trained(config)
    again, fresh = trained(config)
    restore_model("last.pt", again, model.state_dict())
    restore_optimizer("last.pt", fresh, config, deepcopy(optimizer.state_dict()))
    assert equal(fresh.state_dict(), optimizer.state_dict())
    for stepped in (optimizer, fresh):
        stepped.step()
    # The gradients of both are those of the same loss.
    assert equal(again.state_dict(), model.state_dict())


def test_an_optimizer_keeps_the_settings_of_now():
    _, optimizer = trained()
    config = ADAM.model_copy(update={"weight_decay": 0.5})
    _, fresh = trained(config)
    restore_optimizer("last.pt", fresh, config, optimizer.state_dict())
    assert fresh.param_groups[0]["weight_decay"] == 0.5


@pytest.mark.parametrize(
    "foreign", [{}, {"columns": ["a", "b"]}, {"columns": ["a", "b", 3]}, {"columns": "abc"}]
)
def test_what_a_module_does_not_keep_is_refused(foreign):
    model = Named(3, 2)
    with pytest.raises(CheckpointError, match="_extra_state is of another kind"):
        restore_model("last.pt", model, {**model.state_dict(), "_extra_state": foreign})
    assert model.columns == ("x", "y", "z")


def without(name):
    state = trained()[1].state_dict()
    del state["state"][0][name]
    return state


def with_moment(tensor):
    state = trained()[1].state_dict()
    state["state"][0]["exp_avg"] = tensor
    return state


def with_weights(numbers):
    state = trained()[1].state_dict()
    state["param_groups"][0]["params"] = numbers
    return state


@pytest.mark.parametrize(
    ("saved", "told_as"),
    [
        (without("exp_avg"), "its optimizer has no exp_avg, which adam needs"),
        (without("step"), "its optimizer has no step"),
        (with_moment(torch.ones(4)), "the optimizer's exp_avg has the shape"),
        (with_moment(torch.tensor(1.0)), "the optimizer's exp_avg has the shape"),
        (with_moment(1.0), "its optimizer has no exp_avg"),
        (with_weights([0]), "its optimizer had other weights"),
        (with_weights([0, 1, 2]), "its optimizer had other weights"),
        ({**with_weights([0, 1]), "state": {7: {}}}, "its optimizer had other weights"),
    ],
    ids=range(8),
)
def test_moments_of_another_optimizer_are_refused_and_change_nothing(saved, told_as):
    _, optimizer = trained()
    before = deepcopy(optimizer.state_dict())
    with pytest.raises(CheckpointError, match=told_as):
        restore_optimizer("last.pt", optimizer, ADAM, saved)
    assert equal(optimizer.state_dict(), before)


def test_a_scaler_takes_its_own_state_only():
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    restore_scaler("last.pt", scaler, {})
    restore_scaler("last.pt", scaler, torch.amp.GradScaler("cpu", init_scale=8.0).state_dict())
    assert scaler.get_scale() == 8.0
    with pytest.raises(CheckpointError, match="its gradient scaler is another"):
        restore_scaler("last.pt", scaler, {"scale": 2.0})
    restore_scaler("last.pt", torch.amp.GradScaler("cpu", enabled=False), scaler.state_dict())
