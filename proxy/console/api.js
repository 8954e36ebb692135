// Calls of the console's own HTTP.
