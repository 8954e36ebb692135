package program;

/** A program that nobody can run: the scenario is wrong, not the session manager. */
final class Misspelled extends RuntimeException {
  private static final long serialVersionUID = 1L;

  Misspelled(String message) {
    super(message);
  }
}
