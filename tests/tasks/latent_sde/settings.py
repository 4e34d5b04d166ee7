"""Settings of latent SDEs for tests."""

from node_cli.tasks.latent_sde.schema import (
    InflationConfig,
    LatentSdeConfig,
    OuSegmentsConfig,
    StochasticLorenzConfig,
)


def model_config(**changes):
    return LatentSdeConfig(
        **{
            "name": "latent-sde",
            "latent": None,
            "context": None,
            "frequencies": None,
            "hidden": 8,
            "activation": "softplus",
            "calculus": "ito",
            "likelihood": "normal",
            "noise": 0.1,
            "learn_noise": True,
            "kl_warmup": 0.0,
            "samples": None,
            "eval_samples": None,
            **changes,
        }
    )


def segments_config(**changes):
    return OuSegmentsConfig(
        **{
            "name": "ou-segments",
            "theta": 1.0,
            "mu": 0.0,
            "sigma": 0.5,
            "noise": 0.0,
            "steps": 2,
            "batch_size": 1,
            "eval_batch_size": 1,
            **changes,
        }
    )


def lorenz_config(**changes):
    return StochasticLorenzConfig(
        **{
            "name": "stochastic-lorenz",
            "series": 6,
            "validation": 2,
            "test": 3,
            "points": 9,
            "span": 0.4,
            "forward": 2,
            "sigma": 10.0,
            "rho": 28.0,
            "beta": 8 / 3,
            "diffusion": (0.1, 0.28, 0.3),
            "noise": 0.0,
            "batch_size": 2,
            "eval_batch_size": 2,
            **changes,
        }
    )


def inflation_config(**changes):
    return InflationConfig(
        **{
            "name": "inflation",
            "points": 24,
            "forward": 6,
            "stride": 12,
            "validation": 0.2,
            "test": 0.2,
            "batch_size": 4,
            "eval_batch_size": 10,
            **changes,
        }
    )
