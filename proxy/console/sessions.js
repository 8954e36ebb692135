// The view that finds sessions.
