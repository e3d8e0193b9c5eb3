"""The local cluster: the batch/v1 part of the Kubernetes API over HTTPS, and the node that runs its pods.

`python -m infra.local.cluster CONFIG.json` takes the very Job manifests that a real cluster takes. What it does not
implement it refuses by path, so that nothing that a manifest says is ever silently passed over.
"""
