"""Time series, learned by latent ODEs and recurrent networks."""
