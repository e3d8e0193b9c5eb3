"""S1: SMA(20)/SMA(100), long or flat, next-open fills, one symbol over a year of minute bars."""
