"""Reading from S3: ours, its peers and the floor, side by side against a real server on loopback."""
