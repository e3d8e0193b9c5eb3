"""The trusted half of a job's pod: hands out bars, seals decisions, keeps the books, uploads."""
