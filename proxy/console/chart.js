// A chart of the last five minutes.
