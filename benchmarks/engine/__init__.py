"""The engine against its peers: S1 one symbol, S2 a hundred symbols, S3 a thousand parameter pairs, a year each."""
