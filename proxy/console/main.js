// The console's page: signs in, listens, and paints the view that the address names.
