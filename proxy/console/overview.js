// The view that says whether all is well.
