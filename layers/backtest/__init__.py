"""The control plane: what happens to a job between its submission and its report."""
