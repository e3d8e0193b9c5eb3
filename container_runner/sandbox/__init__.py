"""What runs in the strategy's container, and the policy that holds it."""
