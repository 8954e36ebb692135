package remora.tomcat.store.grpc;

import com.google.protobuf.UnsafeByteOperations;
import java.util.List;
import remora.proto.v1.Attribute;
import remora.proto.v1.BuryRequest;
import remora.proto.v1.CheckRequest;
import remora.proto.v1.ClaimRequest;
import remora.proto.v1.Label;
import remora.proto.v1.Labels;
import remora.proto.v1.Limit;
import remora.proto.v1.ReleaseRequest;
import remora.proto.v1.RemoveRequest;
import remora.proto.v1.RenameRequest;
import remora.proto.v1.Request;
import remora.proto.v1.SaveRequest;
import remora.proto.v1.TouchRequest;
import remora.proto.v1.TouchedSession;
import remora.tomcat.store.LocalAttribute;
import remora.tomcat.store.Login;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionLimit;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.Touch;

/** Values to requests. Pure; attribute bytes are wrapped, not copied. */
final class ToWire {

  /** The label that says whose a session is. */
  private static final String PRINCIPAL = "principal";

  private ToWire() {}

  static Request claim(long serial, SessionKey key) {
    return request(serial).setClaim(ClaimRequest.newBuilder().setSession(key(key))).build();
  }

  static Request save(long serial, SessionKey key, SessionChange change) {
    SaveRequest.Builder save =
        SaveRequest.newBuilder()
            .setSession(key(key))
            .setEpoch(change.epoch())
            .setBase(change.base())
            .addAllRemoved(change.removed())
            .setLate(change.late())
            .setCreatedMs(change.createdMillis())
            .setLastAccessMs(change.lastAccessMillis());
    for (StoredAttribute attribute : change.changed()) {
      save.addChanged(
          Attribute.newBuilder()
              .setName(attribute.name())
              .setType(attribute.type())
              .setValue(UnsafeByteOperations.unsafeWrap(attribute.bytes())));
    }
    for (LocalAttribute local : change.local()) {
      save.addLocal(
          remora.proto.v1.LocalAttribute.newBuilder()
              .setName(local.name())
              .setClass_(local.className()));
    }
    if (change.login() != null) {
      save.setLogin(login(change.login())).setLabels(labels(change.login()));
      if (change.limit() != null && !change.login().isNone()) {
        save.setLimit(limit(change.limit()));
      }
    }
    if (change.maxIdleSeconds() != null) {
      save.setMaxIdleSeconds(change.maxIdleSeconds());
    }
    return request(serial).setSave(save).build();
  }

  static Request check(long serial, SessionKey key, long epoch, long version) {
    return request(serial)
        .setCheck(
            CheckRequest.newBuilder().setSession(key(key)).setEpoch(epoch).setVersion(version))
        .build();
  }

  static Request rename(long serial, SessionKey key, SessionKey newKey, long epoch) {
    return request(serial)
        .setRename(
            RenameRequest.newBuilder()
                .setSession(key(key))
                .setNewKey(UnsafeByteOperations.unsafeWrap(newKey.hash()))
                .setEpoch(epoch))
        .build();
  }

  static Request remove(
      long serial, SessionKey key, long createdVersion, long epoch, RemoveReason reason) {
    return request(serial)
        .setRemove(
            RemoveRequest.newBuilder()
                .setSession(key(key))
                .setCreatedVersion(createdVersion)
                .setEpoch(epoch)
                .setReason(
                    reason == RemoveReason.EXPIRY
                        ? RemoveRequest.Reason.REASON_EXPIRY
                        : RemoveRequest.Reason.REASON_LOGOUT))
        .build();
  }

  static Request release(long serial, SessionKey key, long epoch) {
    return request(serial)
        .setRelease(ReleaseRequest.newBuilder().setSession(key(key)).setEpoch(epoch))
        .build();
  }

  static Request bury(long serial, SessionKey key, long createdVersion) {
    return request(serial)
        .setBury(BuryRequest.newBuilder().setSession(key(key)).setCreatedVersion(createdVersion))
        .build();
  }

  static Request touch(long serial, List<Touch> touches) {
    TouchRequest.Builder touch = TouchRequest.newBuilder();
    for (Touch one : touches) {
      touch.addSessions(
          TouchedSession.newBuilder()
              .setSession(key(one.key()))
              .setEpoch(one.epoch())
              .setLastAccessMs(one.lastAccessMillis()));
    }
    return request(serial).setTouch(touch).build();
  }

  private static Request.Builder request(long serial) {
    return Request.newBuilder().setSerial(serial);
  }

  static remora.proto.v1.SessionKey key(SessionKey key) {
    return remora.proto.v1.SessionKey.newBuilder()
        .setApplication(key.application())
        .setKey(UnsafeByteOperations.unsafeWrap(key.hash()))
        .build();
  }

  /** By these whoever is logged in is found and counted. */
  private static Labels labels(Login login) {
    Labels.Builder labels = Labels.newBuilder();
    if (!login.isNone()) {
      labels.addLabels(Label.newBuilder().setName(PRINCIPAL).setValue(login.principal()));
    }
    login
        .labels()
        .forEach(
            (name, value) -> labels.addLabels(Label.newBuilder().setName(name).setValue(value)));
    return labels.build();
  }

  private static Limit limit(SessionLimit limit) {
    return Limit.newBuilder()
        .setLabel(PRINCIPAL)
        .setSessions(limit.sessions())
        .setThen(limit.ends() ? Limit.Then.THEN_END : Limit.Then.THEN_REFUSE)
        .build();
  }

  private static remora.proto.v1.Login login(Login login) {
    return remora.proto.v1.Login.newBuilder()
        .setPrincipal(login.principal())
        .addAllRoles(login.roles())
        .setAuthType(login.authType())
        .build();
  }
}
