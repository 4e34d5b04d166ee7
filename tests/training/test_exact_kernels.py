import pytest
import torch
from runs import TINY
from torch.backends import cudnn

import node_cli
from node_cli.tasks.images.task import MnistOdeNet
from node_cli.training.exact_kernels import exact_kernels


def test_a_run_computes_exactly_and_leaves_torch_as_it_was(tmp_path, monkeypatch):
    seen = []
    loss = MnistOdeNet.loss

    def watched(self, model, batch):
        seen.append((cudnn.deterministic, cudnn.allow_tf32))
        return loss(self, model, batch)

    monkeypatch.setattr(MnistOdeNet, "loss", watched)
    before = (cudnn.deterministic, cudnn.allow_tf32)
    node_cli.train([*TINY, f"hydra.run.dir={tmp_path / 'run'}", "trainer.max_steps=1"])
    assert seen == [(True, False)]
    assert (cudnn.deterministic, cudnn.allow_tf32) == before


@pytest.mark.skipif(not hasattr(cudnn, "conv"), reason="a newer torch has it")
def test_what_the_user_said_of_convolutions_apart_is_left_alone():
    before = cudnn.allow_tf32
    try:
        cudnn.conv.fp32_precision = "ieee"
        with exact_kernels():
            assert cudnn.conv.fp32_precision == "ieee"
        assert cudnn.conv.fp32_precision == "ieee"
    finally:
        cudnn.allow_tf32 = before


@pytest.mark.cuda
def test_a_convolution_is_one_of_single_precision_and_gives_the_same_bits():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 64, 14, 14, generator=generator)
    weight = torch.randn(64, 64, 3, 3, generator=generator)
    gradients = []
    with exact_kernels():
        for _ in range(4):
            kernel = weight.cuda().requires_grad_()
            y = torch.nn.functional.conv2d(x.cuda(), kernel, padding=1)
            y.square().sum().backward()
            gradients.append(kernel.grad)
    truth = torch.nn.functional.conv2d(x.double(), weight.double(), padding=1)
    assert float((y.cpu() - truth).norm() / truth.norm()) < 1e-6  # TF32: 3e-4
    assert all(torch.equal(gradients[0], other) for other in gradients[1:])
