"""Published results as data, and how a reproduced result stands beside them."""
