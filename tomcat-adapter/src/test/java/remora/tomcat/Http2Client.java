package remora.tomcat;

import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.buffer.Unpooled;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.DefaultHttp2HeadersEncoder;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2Exception;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2Headers;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** One GET over HTTP/2 without TLS, as the frames of RFC 9113 tell it. */
final class Http2Client {

  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RESET = 3;
  private static final int SETTINGS = 4;
  private static final int GO_AWAY = 7;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;
  private static final int ACK = 1;
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  /** The answer, as far as it came. */
  static final class Answer {
    Http2Headers head;
    final StringBuilder body = new StringBuilder();

    /** Whether the server said that the answer is whole. */
    boolean whole;

    int status() {
      return Integer.parseInt(head.status().toString());
    }
  }

  private Http2Client() {}

  static Answer get(int port, String path, String cookie) throws IOException, Http2Exception {
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.setSoTimeout(20_000);
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      out.write(PREFACE.getBytes(StandardCharsets.ISO_8859_1));
      frame(out, SETTINGS, 0, 0, new byte[0]);
      frame(out, HEADERS, END_STREAM | END_HEADERS, 1, head(path, cookie));
      return read(new DataInputStream(socket.getInputStream()), out);
    }
  }

  private static byte[] head(String path, String cookie) throws Http2Exception {
    DefaultHttp2Headers head = new DefaultHttp2Headers();
    head.method("GET").scheme("http").authority("localhost").path(path);
    if (cookie != null) {
      head.set("cookie", cookie);
    }
    ByteBuf block = Unpooled.buffer();
    new DefaultHttp2HeadersEncoder().encodeHeaders(1, head, block);
    byte[] bytes = new byte[block.readableBytes()];
    block.readBytes(bytes);
    return bytes;
  }

  private static void frame(DataOutputStream out, int type, int flags, int stream, byte[] payload)
      throws IOException {
    out.writeByte(payload.length >> 16);
    out.writeShort(payload.length);
    out.writeByte(type);
    out.writeByte(flags);
    out.writeInt(stream);
    out.write(payload);
    out.flush();
  }

  private static Answer read(DataInputStream in, DataOutputStream out)
      throws IOException, Http2Exception {
    Answer answer = new Answer();
    for (int high = in.read(); high >= 0; high = in.read()) {
      byte[] payload = new byte[high << 16 | in.readUnsignedShort()];
      int type = in.readUnsignedByte();
      int flags = in.readUnsignedByte();
      int stream = in.readInt();
      in.readFully(payload);
      if (type == SETTINGS && (flags & ACK) == 0) {
        frame(out, SETTINGS, ACK, 0, new byte[0]);
      } else if (type == RESET || type == GO_AWAY) {
        return answer;
      } else if (stream == 1 && type == HEADERS) {
        ByteBuf block = Unpooled.wrappedBuffer(payload);
        answer.head = new DefaultHttp2HeadersDecoder(false).decodeHeaders(1, block);
      } else if (stream == 1 && type == DATA) {
        answer.body.append(new String(payload, StandardCharsets.ISO_8859_1));
      }
      if (stream == 1 && (type == HEADERS || type == DATA) && (flags & END_STREAM) != 0) {
        answer.whole = true;
        return answer;
      }
    }
    return answer;
  }
}
