package remora.tomcat;

import remora.tomcat.keeper.Keeper;
import remora.tomcat.keeper.Live;
import remora.tomcat.keeper.SessionIds;
import remora.tomcat.store.StoredSession;

/** A manager as its keeper sees it: makes live sessions, and tells them where they are. */
final class KeeperHost implements Keeper.Host {

  private final RemoraManager manager;
  private final SessionEncoder encoder;

  /**
   * The host of a manager's sessions.
   *
   * @param manager where they are listed
   * @param encoder how their attributes are encoded
   */
  KeeperHost(RemoraManager manager, SessionEncoder encoder) {
    this.manager = manager;
    this.encoder = encoder;
  }

  @Override
  public Live make(String id, StoredSession record) {
    RemoraSession session = new RemoraSession(manager, encoder);
    session.load(SessionIds.withRoute(id, manager.getJvmRoute()), record);
    return session;
  }

  @Override
  public void arrived(Live live) {
    RemoraSession session = (RemoraSession) live;
    manager.add(session);
    session.activate();
  }

  @Override
  public void returned(Live live) {
    ((RemoraSession) live).activate();
  }

  @Override
  public void renamed(Live live, String oldId) {
    RemoraSession session = (RemoraSession) live;
    session.tellChangedSessionId(session.getIdInternal(), oldId, true, true);
  }
}
