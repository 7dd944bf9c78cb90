"""Outcomes of a person that were seen several times: mixed models and estimating equations."""
