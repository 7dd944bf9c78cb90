"""Amounts with many zeros: means, ranks, models in two parts, and people lost on the way."""
