"""How much of the outcome, and how do the arms differ?"""
