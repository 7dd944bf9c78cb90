"""Regression by people, and what follows from it for everyone: standardised means."""
