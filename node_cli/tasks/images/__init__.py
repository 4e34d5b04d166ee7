"""Classifiers of images: ODE-Net, RK-Net, ResNet and Euler-Net."""
