package remora.wicket;

import org.apache.wicket.AttributeModifier;
import org.apache.wicket.markup.html.WebMarkupContainer;
import org.apache.wicket.markup.html.WebPage;
import org.apache.wicket.markup.html.form.Form;
import org.apache.wicket.markup.html.form.TextField;
import org.apache.wicket.markup.html.link.Link;
import org.apache.wicket.markup.html.panel.FeedbackPanel;
import org.apache.wicket.model.Model;

/** The page: a link that counts its own clicks, and a form that fills the basket. */
public class Counter extends WebPage {

  private static final long serialVersionUID = 1;

  private final Model<String> item = Model.of("");
  private int clicks;

  public Counter() {
    WebMarkupContainer facts = new WebMarkupContainer("facts");
    facts.add(AttributeModifier.replace("data-clicks", () -> clicks));
    facts.add(AttributeModifier.replace("data-basket", () -> Visitor.current().getContent()));
    add(facts);
    add(new FeedbackPanel("feedback"));
    add(
        new Link<Void>("click") {
          private static final long serialVersionUID = 1;

          @Override
          public void onClick() {
            clicks++;
          }
        });
    Form<Void> form =
        new Form<>("form") {
          private static final long serialVersionUID = 1;

          @Override
          protected void onSubmit() {
            Visitor.current().add(item.getObject());
            getSession().info("added " + item.getObject());
          }
        };
    form.add(new TextField<>("item", item));
    add(form);
  }
}
