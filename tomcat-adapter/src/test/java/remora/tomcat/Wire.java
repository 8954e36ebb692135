package remora.tomcat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import remora.tomcat.Tomcats.Node;

/** One connection to a Tomcat that is kept for as long as both sides like. */
final class Wire implements AutoCloseable {

  private final Socket socket;

  Wire(Node node) throws IOException {
    socket = new Socket("127.0.0.1", node.tomcat.getConnector().getLocalPort());
    socket.setSoTimeout(20_000);
  }

  /**
   * One request.
   *
   * @return the head of its answer as it came, with nothing read behind it
   */
  String ask(String method, String cookie) throws IOException {
    String head =
        method
            + " / HTTP/1.1\r\nHost: localhost\r\n"
            + (cookie == null ? "" : "Cookie: " + cookie + "\r\n")
            + "\r\n";
    socket.getOutputStream().write(head.getBytes(StandardCharsets.ISO_8859_1));
    StringBuilder answer = new StringBuilder();
    InputStream in = socket.getInputStream();
    while (answer.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) {
        throw new IOException("the connection ended in a head: " + answer);
      }
      answer.append((char) next);
    }
    return answer.toString();
  }

  /** The next bytes of a body. */
  String body(int length) throws IOException {
    StringBuilder body = new StringBuilder();
    InputStream in = socket.getInputStream();
    while (body.length() < length) {
      int next = in.read();
      if (next < 0) {
        throw new IOException("the connection ended in a body: " + body);
      }
      body.append((char) next);
    }
    return body.toString();
  }

  /** Everything up to the end of the connection, which the other side must bring about. */
  String rest() throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    InputStream in = socket.getInputStream();
    for (int next = in.read(); next >= 0; next = in.read()) {
      all.write(next);
    }
    return new String(all.toByteArray(), StandardCharsets.ISO_8859_1);
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
