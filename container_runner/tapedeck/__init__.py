"""Tapedeck: replay the market for a strategy."""
