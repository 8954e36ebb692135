// The last five minutes of every upstream.
