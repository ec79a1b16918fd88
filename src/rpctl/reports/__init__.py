"""What can be told from a summary alone, in every world: pure, from the domain's values only."""
