"""How soon does an outcome come, and how do the arms differ?"""
