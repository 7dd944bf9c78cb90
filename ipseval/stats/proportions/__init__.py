"""Proportions of two arms: intervals, tests and common effects over strata."""
