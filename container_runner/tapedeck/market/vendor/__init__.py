"""What vendors send, read into bars and corporate actions. Runs without NumPy."""
