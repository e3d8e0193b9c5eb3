"""The edges to AWS and Kubernetes: thin, typed, and nothing decided in them."""
