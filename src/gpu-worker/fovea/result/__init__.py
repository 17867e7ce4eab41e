"""What was read of a page: the shape that the edge stores, and the rules that need no model."""
