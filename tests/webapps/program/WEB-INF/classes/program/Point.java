package program;

import java.io.Serializable;

/** A bean as applications write them. */
public class Point implements Serializable {
  private static final long serialVersionUID = 1L;

  int x;
  int y;

  Point(int x, int y) {
    this.x = x;
    this.y = y;
  }
}
