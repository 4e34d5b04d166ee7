import pytest
import torch

from node_cli.schema.optimizer import AdamConfig, SGDConfig
from node_cli.schema.schedule import ConstantConfig, CosineConfig, StepConfig
from node_cli.training.optimization import build_optimizer, learning_rate_factor


def step_schedule(**changes):
    fields = {"name": "step", "milestones": (0.375, 0.625, 0.875), "gamma": 0.1, "warmup": 0.0}
    return StepConfig(**{**fields, **changes})


def test_the_step_schedule_is_that_of_the_torchdiffeq_example_over_160_epochs():
    epochs = {0: 1.0, 59: 1.0, 60: 0.1, 99: 0.1, 100: 0.01, 139: 0.01, 140: 0.001, 159: 0.001}
    for epoch, factor in epochs.items():
        assert learning_rate_factor(step_schedule(), epoch, 160) == pytest.approx(factor)


def test_cosine_goes_from_one_to_its_final_share():
    cosine = CosineConfig(name="cosine", final=0.1, warmup=0.0)
    assert learning_rate_factor(cosine, 0, 100) == 1.0
    assert learning_rate_factor(cosine, 50, 100) == pytest.approx(0.55)
    assert learning_rate_factor(cosine, 100, 100) == pytest.approx(0.1)


def test_warmup_rises_linearly_and_then_meets_the_schedule():
    schedule = step_schedule(warmup=0.1)
    factors = [learning_rate_factor(schedule, step, 100) for step in range(11)]
    assert factors == pytest.approx([*(n / 10 for n in range(1, 11)), 1.0])


def test_without_a_known_length_the_rate_is_constant():
    assert learning_rate_factor(step_schedule(), 10_000, None) == 1.0
    assert learning_rate_factor(ConstantConfig(name="constant"), 5, 10) == 1.0


def test_optimizers_take_their_settings():
    weights = [torch.nn.Parameter(torch.ones(2))]
    sgd = SGDConfig(name="sgd", lr=0.3, momentum=0.8, nesterov=True, weight_decay=0.01)
    built = build_optimizer(sgd, [(1.0, weights)])
    assert isinstance(built, torch.optim.SGD)
    settings = {"lr": 0.3, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}
    assert settings.items() <= built.param_groups[0].items()
    for name, kind in {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}.items():
        config = AdamConfig(name=name, lr=0.02, betas=(0.8, 0.99), weight_decay=0.1)
        built = build_optimizer(config, [(1.0, weights)])
        assert type(built) is kind
        assert built.param_groups[0]["betas"] == (0.8, 0.99)
        assert built.param_groups[0]["weight_decay"] == 0.1


def test_parts_of_a_model_learn_at_rates_of_their_own():
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    sgd = SGDConfig(name="sgd", lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0)
    built = build_optimizer(sgd, [(1.0, [first]), (3.0, [second])])
    (first + second).sum().backward()
    built.step()
    assert (first.item(), second.item()) == (pytest.approx(-0.1), pytest.approx(-0.3))
