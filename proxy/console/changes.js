// The view of what changed lately, and why.
