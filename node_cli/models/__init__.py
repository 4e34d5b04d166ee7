"""Vector fields, ODE blocks and the networks around them."""
