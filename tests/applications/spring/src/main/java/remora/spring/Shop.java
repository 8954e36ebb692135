package remora.spring;

import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.web.servlet.ServletListenerRegistrationBean;
import org.springframework.boot.web.servlet.support.SpringBootServletInitializer;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.util.HttpSessionMutexListener;

/** A shop behind Spring Security's form login, all but the login page at its defaults. */
@SpringBootApplication
public class Shop extends SpringBootServletInitializer {

  @Override
  protected SpringApplicationBuilder configure(SpringApplicationBuilder application) {
    return application.sources(Shop.class);
  }

  @Bean
  SecurityFilterChain security(HttpSecurity http) throws Exception {
    http.authorizeHttpRequests(
        requests ->
            requests.requestMatchers("/audit").hasRole("ADMIN").anyRequest().authenticated());
    http.formLogin(form -> form.loginPage("/login").permitAll());
    return http.build();
  }

  @Bean
  UserDetailsService users() {
    return new InMemoryUserDetailsManager(
        User.withUsername("ada").password("{noop}lovelace").roles("CUSTOMER").build(),
        User.withUsername("grace").password("{noop}hopper").roles("CUSTOMER", "ADMIN").build());
  }

  /** Spring's own advice for pages that lock a session: one more attribute in every session. */
  @Bean
  ServletListenerRegistrationBean<HttpSessionMutexListener> mutex() {
    return new ServletListenerRegistrationBean<>(new HttpSessionMutexListener());
  }
}
