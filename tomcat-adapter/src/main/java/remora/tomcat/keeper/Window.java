package remora.tomcat.keeper;

import java.util.Set;
import remora.tomcat.copy.EncodedValue;
import remora.tomcat.copy.Values;
import remora.tomcat.store.Login;

/** A session as who only watches it sees it: what is written through it changes nothing. */
final class Window implements Values {

  private final Live live;

  Window(Live live) {
    this.live = live;
  }

  @Override
  public Object peek(String name) {
    return live.peek(name);
  }

  @Override
  public Set<String> names() {
    return live.names();
  }

  @Override
  public void fill(String name, EncodedValue value) {}

  @Override
  public boolean decoded(String name, EncodedValue bytes, Object value) {
    return false;
  }

  @Override
  public void drop(String name) {}

  @Override
  public void login(Login login) {}

  @Override
  public void idle(int seconds) {}
}
