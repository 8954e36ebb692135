package remora.sample;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;

/**
 * Who gets in: by the form, by Basic for machines, and by OpenID where a provider is configured,
 * whose logout then reaches every process.
 */
@Configuration(proxyBeanMethods = false)
class Security {

  @Bean
  SecurityFilterChain chain(HttpSecurity http, ObjectProvider<ClientRegistrationRepository> openId)
      throws Exception {
    http.authorizeHttpRequests(
        requests ->
            requests
                .requestMatchers("/actuator/health")
                .permitAll()
                .requestMatchers("/actuator/**", "/users")
                .hasRole("ADMIN")
                .anyRequest()
                .authenticated());
    http.csrf(csrf -> csrf.ignoringRequestMatchers("/actuator/**"));
    http.formLogin(Customizer.withDefaults());
    http.httpBasic(Customizer.withDefaults());
    if (openId.getIfAvailable() != null) {
      http.oauth2Login(Customizer.withDefaults());
      http.oidcLogout(logout -> logout.backChannel(Customizer.withDefaults()));
    }
    return http.build();
  }

  @Bean
  UserDetailsService users() {
    return new InMemoryUserDetailsManager(
        User.withUsername("ada").password("{noop}lovelace").roles("CUSTOMER").build(),
        User.withUsername("grace").password("{noop}hopper").roles("ADMIN").build());
  }
}
