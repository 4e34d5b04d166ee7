"""SDEs of which all is known, in double precision."""

import math

import torch
from torch import nn


class GeometricBrownian(nn.Module):
    """dy = mu y dt + sigma y dW in the sense of Itô, written in either calculus.

    Its solution is y0 exp((mu - sigma^2 / 2) t + sigma W).
    """

    noise = "diagonal"

    def __init__(self, calculus="ito", mu=0.5, sigma=0.8):
        super().__init__()
        self.calculus = calculus
        self.mu = nn.Parameter(torch.tensor(mu, dtype=torch.float64))
        self.sigma = nn.Parameter(torch.tensor(sigma, dtype=torch.float64))

    def drift(self, t, y):
        correction = 0.0 if self.calculus == "ito" else 0.5 * self.sigma**2
        return (self.mu - correction) * y

    def diffusion(self, t, y):
        return self.sigma * y

    def solution(self, t, w):
        return torch.exp((self.mu - self.sigma**2 / 2) * t + self.sigma * w).detach()


class OrnsteinUhlenbeck(nn.Module):
    """dy = theta (mean - y) dt + sigma dW: the same in both calculi, diagonal or additive."""

    noise_size = 1

    def __init__(self, calculus="ito", noise="diagonal", theta=1.5, mean=0.3, sigma=0.7):
        super().__init__()
        self.calculus, self.noise, self.sigma = calculus, noise, sigma
        self.prior = (theta, 0.0)  # its own theta and mean
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))
        self.center = nn.Parameter(torch.tensor(mean, dtype=torch.float64))

    def drift(self, t, y):
        return self.theta * (self.center - y)

    def prior_drift(self, t, y):
        theta, mean = self.prior
        return theta * (mean - y)

    def diffusion(self, t, y):
        diffusion = torch.full_like(y, self.sigma)
        return diffusion if self.noise == "diagonal" else diffusion.unsqueeze(-1)

    def moments(self, start, t):
        theta, mean = float(self.theta.detach()), float(self.center.detach())
        decay = math.exp(-theta * t)
        return mean + (start - mean) * decay, self.sigma**2 * (1 - decay**2) / (2 * theta)


class Rotating(nn.Module):
    """A state of two values with general noise of two channels that do not commute."""

    noise, noise_size = "general", 2

    def __init__(self, calculus="ito"):
        super().__init__()
        self.calculus = calculus
        self.weight = nn.Parameter(torch.tensor([[0.3, -0.5], [0.4, 0.2]], dtype=torch.float64))

    def drift(self, t, y):
        return torch.sin(t) * y @ self.weight

    def diffusion(self, t, y):
        a, b = y.unbind(-1)
        rows = (torch.stack((a, 0.5 * b), -1), torch.stack((torch.cos(a), 1.0 + 0 * b), -1))
        return 0.4 * torch.stack(rows, dim=1)


def ones(count, size=1):
    return torch.ones(count, size, dtype=torch.float64)
