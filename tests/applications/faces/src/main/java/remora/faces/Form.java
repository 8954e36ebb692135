package remora.faces;

import jakarta.faces.application.FacesMessage;
import jakarta.faces.context.FacesContext;
import jakarta.faces.view.ViewScoped;
import jakarta.inject.Inject;
import jakarta.inject.Named;
import java.io.Serializable;

/** One open page: a view-scoped bean that counts how often its own form was sent. */
@Named
@ViewScoped
public class Form implements Serializable {

  private static final long serialVersionUID = 1;

  @Inject private Basket basket;
  private int sent;
  private String item = "";

  /** Sends the form and stays on the page. */
  public void send() {
    sent++;
    basket.add(item);
  }

  /** Sends the form and goes to a fresh page, with a word that outlives the redirect. */
  public String finish() {
    FacesContext faces = FacesContext.getCurrentInstance();
    faces.getExternalContext().getFlash().setKeepMessages(true);
    faces.addMessage(null, new FacesMessage("finished after " + sent));
    return "index?faces-redirect=true";
  }

  public int getSent() {
    return sent;
  }

  public String getItem() {
    return item;
  }

  public void setItem(String item) {
    this.item = item;
  }
}
