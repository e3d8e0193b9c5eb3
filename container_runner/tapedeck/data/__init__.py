"""A folder of market data on a laptop: what ``tapedeck run --data FOLDER`` reads."""
