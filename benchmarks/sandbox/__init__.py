"""What the sandbox costs: the strategy's own container, as the local cluster runs it, against the same code outside."""
