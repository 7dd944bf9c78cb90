"""How many people had the outcome, and how do the arms differ?"""
