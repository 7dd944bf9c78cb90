"""Times to an event: curves, tests, mean times and hazards, with death competing or not."""
