package remora.tomcat;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A WebSocket from the client's side, as much of RFC 6455 as tests need. Reads are patient. */
final class SocketClient implements AutoCloseable {

  private static final int TEXT = 1;
  private static final int CLOSE = 8;
  private static final int PING = 9;

  private final Socket socket;
  private final DataInputStream in;

  /** Opens one in the session of a cookie; null for none. */
  SocketClient(int port, String path, String cookie) throws IOException {
    socket = new Socket("127.0.0.1", port);
    socket.setSoTimeout(20_000);
    String head =
        "GET "
            + path
            + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + (cookie == null ? "" : "Cookie: " + cookie + "\r\n")
            + "\r\n";
    socket.getOutputStream().write(head.getBytes(StandardCharsets.ISO_8859_1));
    in = new DataInputStream(socket.getInputStream());
    StringBuilder answer = new StringBuilder();
    while (answer.indexOf("\r\n\r\n") < 0) {
      answer.append((char) in.readUnsignedByte());
    }
    if (!answer.toString().startsWith("HTTP/1.1 101")) {
      throw new IOException("no WebSocket: " + answer);
    }
  }

  /** Says something and gives what is answered. */
  String ask(String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    byte[] frame = new byte[6 + bytes.length]; // masked with zeros
    frame[0] = (byte) (0x80 | TEXT);
    frame[1] = (byte) (0x80 | bytes.length);
    System.arraycopy(bytes, 0, frame, 6, bytes.length);
    OutputStream out = socket.getOutputStream();
    out.write(frame);
    byte[] answer = next(TEXT);
    return new String(answer, StandardCharsets.UTF_8);
  }

  /** With which code the server closes. */
  int closeCode() throws IOException {
    byte[] said = next(CLOSE);
    return (said[0] & 0xff) << 8 | said[1] & 0xff;
  }

  private byte[] next(int wanted) throws IOException {
    while (true) {
      int opcode = in.readUnsignedByte() & 0xf;
      int length = in.readUnsignedByte();
      byte[] payload = new byte[length == 126 ? in.readUnsignedShort() : length];
      in.readFully(payload);
      if (opcode == wanted) {
        return payload;
      } else if (opcode != PING) {
        throw new IOException("a frame of kind " + opcode + " of " + length + " bytes");
      }
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
