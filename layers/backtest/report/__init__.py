"""The report of a run: one self-contained page, with its numbers as CSV and JSON beside it."""
