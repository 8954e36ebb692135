package remora.wicket;

import org.apache.wicket.DefaultPageManagerProvider;
import org.apache.wicket.Page;
import org.apache.wicket.Session;
import org.apache.wicket.pageStore.IPageStore;
import org.apache.wicket.pageStore.InSessionPageStore;
import org.apache.wicket.protocol.http.WebApplication;
import org.apache.wicket.request.Request;
import org.apache.wicket.request.Response;
import org.apache.wicket.settings.RequestCycleSettings.RenderStrategy;

/**
 * A shop of one page that keeps its components between requests. As Wicket provides for clusters,
 * pages lie in the session and not on the disk of one machine, and are rendered where they are
 * asked for, not kept ready in one machine's memory.
 */
public class Shop extends WebApplication {

  /** How many pages of a user are kept: the user's open windows. */
  private static final int PAGES_MAX = 10;

  @Override
  protected void init() {
    super.init();
    getRequestCycleSettings().setRenderStrategy(RenderStrategy.REDIRECT_TO_RENDER);
    setPageManagerProvider(
        new DefaultPageManagerProvider(this) {
          @Override
          protected IPageStore newPersistentStore() {
            return new InSessionPageStore(PAGES_MAX);
          }
        });
  }

  @Override
  public Class<? extends Page> getHomePage() {
    return Counter.class;
  }

  @Override
  public Session newSession(Request request, Response response) {
    return new Visitor(request);
  }
}
