"""The deployed application on one machine: reads the synthesised assembly, owns no second list of wires."""
