package program;

import java.io.Serializable;

/** Times as one request saw them, for the next one to compare. */
record Noted(long created, long accessed) implements Serializable {}
