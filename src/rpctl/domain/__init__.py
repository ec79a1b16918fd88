"""The rules of points: standard library only; no clock, file, network or randomness inside."""
