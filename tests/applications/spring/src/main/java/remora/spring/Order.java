package remora.spring;

import java.io.Serializable;

/** An order that a user fills in over several pages. */
public class Order implements Serializable {

  private static final long serialVersionUID = 1;

  private String name = "";
  private String street = "";

  public String getName() {
    return name;
  }

  public void setName(String name) {
    this.name = name;
  }

  public String getStreet() {
    return street;
  }

  public void setStreet(String street) {
    this.street = street;
  }
}
