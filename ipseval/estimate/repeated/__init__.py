"""How do the arms differ in outcomes that were seen several times?"""
