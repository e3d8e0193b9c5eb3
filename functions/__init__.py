"""One file a Lambda handler: event in, one call, response out."""
