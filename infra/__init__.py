"""The AWS application as CDK stacks, and the same application on one machine (`infra.local`)."""
