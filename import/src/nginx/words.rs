//! What nginx's directives mean here that are told of by their name alone, wherever they stand.
//!
//! Left out on purpose: directives whose words decide. Those have rules of their own, in the modules beside this one.

use crate::report::Class;

/// Directives, of what class they are, and what is told of them. A star ends a name's beginning.
type Told = (&'static [&'static str], Class, &'static str);

const FILES: &str = "the proxy serves no files: they come from the Tomcat that the path leads to; put them into the application, or leave a \
                     web server at a host of its own";

const CLOSED: &str = "nobody is asked for a password or turned away by the proxy: protect it in the application (security-constraint, \
                      RemoteAddrValve). No route is written for what this guards, unless its location says OPEN: it is closed until you write one";

const TOLD: &[Told] = &[
    (
        &["http", "events", "server"],
        Class::Same,
        "read; what stands in it is told of by itself",
    ),
    (
        &[
            "user",
            "worker_processes",
            "worker_connections",
            "worker_rlimit_nofile",
            "worker_cpu_affinity",
            "worker_priority",
            "worker_shutdown_timeout",
            "multi_accept",
            "use",
            "accept_mutex",
            "daemon",
            "pid",
            "master_process",
            "pcre_jit",
            "thread_pool",
            "load_module",
            "lock_file",
            "timer_resolution",
            "env",
        ],
        Class::Differs,
        "about nginx's processes: the proxy's unit says as whom it runs, and `threads` how many threads it has, one for each core unless said",
    ),
    (
        &[
            "sendfile",
            "sendfile_max_chunk",
            "tcp_nopush",
            "aio",
            "directio",
            "types",
            "default_type",
            "types_hash_max_size",
            "types_hash_bucket_size",
            "open_file_cache*",
            "output_buffers",
            "charset",
            "charset_types",
            "override_charset",
        ],
        Class::Differs,
        "about files that nginx reads itself, of which there are none",
    ),
    (
        &[
            "server_names_hash_max_size",
            "server_names_hash_bucket_size",
            "variables_hash_max_size",
            "variables_hash_bucket_size",
            "map_hash_max_size",
            "map_hash_bucket_size",
            "proxy_headers_hash_max_size",
            "proxy_headers_hash_bucket_size",
            "client_header_buffer_size",
            "client_body_buffer_size",
            "connection_pool_size",
            "request_pool_size",
            "client_body_temp_path",
            "client_body_in_file_only",
            "output_buffer*",
            "postpone_output",
            "tcp_nodelay",
            "reset_timedout_connection",
            "lingering_*",
            "keepalive_requests",
            "keepalive_disable",
            "server_tokens",
            "merge_slashes",
            "server_name_in_redirect",
            "port_in_redirect",
            "absolute_redirect",
            "underscores_in_headers",
            "ignore_invalid_headers",
            "log_not_found",
            "log_subrequest",
            "recursive_error_pages",
            "msie_padding",
            "chunked_transfer_encoding",
            "etag",
            "if_modified_since",
            "send_lowat",
            "subrequest_output_buffer_size",
            "variables_hash*",
            "uninitialized_variable_warn",
            "rewrite_log",
            "zone",
            "ntlm",
            "state",
        ],
        Class::Differs,
        "about how nginx works inside; the proxy has no such setting, and needs none",
    ),
    (
        &["large_client_header_buffers"],
        Class::Differs,
        "the head of a request may have 16 KiB and its target 8 KiB: [limits] request_head_bytes and target_bytes say otherwise",
    ),
    (
        &["client_max_body_size"],
        Class::Differs,
        "the proxy has no bound on a request's body: Tomcat's maxPostSize, maxSwallowSize and the application's own for uploads hold",
    ),
    (
        &["client_header_timeout", "client_body_timeout", "send_timeout"],
        Class::Differs,
        "the proxy's own limits on slow clients hold: [limits] request_head, request_bytes_per_second, answer_bytes_per_second and \
         client_grace",
    ),
    (
        &["gzip*", "gunzip*", "brotli*", "zstd*"],
        Class::Unsupported,
        "answers pass as the Tomcat makes them: let that compress (compression=\"on\" at its Connector)",
    ),
    (
        &["error_log"],
        Class::Differs,
        "the proxy's own log goes to standard error",
    ),
    (
        &["log_format", "access_log", "open_log_file_cache"],
        Class::Differs,
        "the proxy writes an access log of its own, as docs/log.md says: [access_log] to names the file, and `--replay` reads this one",
    ),
    (
        &[
            "proxy_http_version",
            "proxy_buffering",
            "proxy_buffers",
            "proxy_buffer_size",
            "proxy_busy_buffers_size",
            "proxy_max_temp_file_size",
            "proxy_temp_file_write_size",
            "proxy_temp_path",
            "proxy_request_buffering",
            "proxy_socket_keepalive",
            "proxy_headers_hash*",
            "proxy_limit_rate",
            "proxy_force_ranges",
            "proxy_pass_request_headers",
            "proxy_pass_request_body",
        ],
        Class::Same,
        "bodies pass as they come, over kept connections of HTTP/1.1; nothing has to be said for that",
    ),
    (
        &[
            "proxy_ignore_client_abort",
            "proxy_ignore_headers",
            "proxy_method",
            "proxy_set_body",
            "proxy_bind",
            "proxy_cookie_flags",
        ],
        Class::Unsupported,
        "the proxy has no such setting",
    ),
    (
        &[
            "proxy_next_upstream",
            "proxy_next_upstream_tries",
            "proxy_next_upstream_timeout",
        ],
        Class::Differs,
        "a request is repeated by what may have happened, not by this list: never a POST that may have run, and at another Tomcat what \
         was not begun; [retry] bounds it. An application's own 5xx is its answer",
    ),
    (
        &["error_page", "proxy_intercept_errors"],
        Class::Unsupported,
        "an application's own errors are its answers; for what the proxy answers itself, [pages] names files (docs/pages.md)",
    ),
    (
        &["proxy_cache*", "proxy_store*", "proxy_no_cache", "slice"],
        Class::Unsupported,
        "the proxy keeps no answers: an application that says Cache-Control lets browsers keep them, and a cache can stand in front",
    ),
    (
        &[
            "auth_basic*",
            "auth_request*",
            "auth_jwt*",
            "auth_oidc*",
            "auth_digest*",
            "auth_gss*",
            "auth_ldap*",
            "auth_pam*",
            "allow",
            "deny",
            "satisfy",
            "internal",
            "secure_link*",
            "valid_referers",
        ],
        Class::Unsupported,
        CLOSED,
    ),
    (
        &["limit_req*", "limit_conn*", "limit_rate*"],
        Class::Unsupported,
        "requests are not rationed: [limits] connections_per_address bounds connections, and an application or what stands in front has \
         to bound the rest",
    ),
    (
        &[
            "root",
            "alias",
            "index",
            "autoindex*",
            "expires",
            "random_index",
            "disable_symlinks",
            "empty_gif",
            "mp4*",
            "flv",
        ],
        Class::Unsupported,
        FILES,
    ),
    (
        &[
            "fastcgi_*",
            "uwsgi_*",
            "scgi_*",
            "grpc_*",
            "memcached_*",
            "perl*",
            "js_*",
            "dav_*",
            "stub_status",
            "status_zone",
            "api",
            "status",
        ],
        Class::Unsupported,
        "the proxy speaks HTTP/1.1 to Tomcats, and nothing else; what this serves needs another way in. /metrics of [control] has figures",
    ),
    (
        &["rewrite", "rewrite_by*", "set_by*", "break"],
        Class::Unsupported,
        "paths are not rewritten but for a route's `to`: Tomcat's RewriteValve takes such rules",
    ),
    (
        &[
            "sub_filter*",
            "add_before_body",
            "add_after_body",
            "addition_types",
            "image_filter*",
            "xslt_*",
            "ssi*",
            "mirror*",
            "split_clients",
        ],
        Class::Unsupported,
        "bodies pass as they are, and each request goes one way: let the application do it",
    ),
    (
        &["resolver", "resolver_timeout"],
        Class::Differs,
        "names of members are looked up by the machine's own resolver, again with each new connection",
    ),
    (
        &[
            "ssl_ciphers",
            "ssl_prefer_server_ciphers",
            "ssl_ecdh_curve",
            "ssl_dhparam",
            "ssl_conf_command",
        ],
        Class::Differs,
        "the suites of TLS are the proxy's own: forward secrecy and authenticated encryption alone, without a setting",
    ),
    (
        &[
            "ssl_session_*",
            "ssl_buffer_size",
            "ssl_early_data",
            "ssl_handshake_timeout",
        ],
        Class::Differs,
        "the proxy resumes sessions by itself and takes no early data; [limits] handshake bounds a handshake",
    ),
    (
        &[
            "ssl_stapling*",
            "ssl_trusted_certificate",
            "ssl_crl",
            "ssl_ocsp*",
            "ssl_verify_depth",
            "ssl_password_file",
        ],
        Class::Unsupported,
        "no answers of OCSP are stapled, no lists of revoked certificates are read, and keys are files without a password",
    ),
    (
        &[
            "proxy_ssl_server_name",
            "proxy_ssl_session_reuse",
            "proxy_ssl_protocols",
            "proxy_ssl_ciphers",
            "proxy_ssl_verify_depth",
        ],
        Class::Differs,
        "TLS to members is 1.2 or 1.3, always with the name, and sessions are resumed; nothing has to be said for that",
    ),
    (
        &["proxy_ssl_crl", "proxy_ssl_password_file"],
        Class::Unsupported,
        "no lists of revoked certificates are read, and keys are files without a password",
    ),
    (
        &["keepalive", "keepalive_time", "keepalive_timeout", "queue"],
        Class::Differs,
        "the proxy keeps connections to members by itself: [limits] upstream_connections_idle and upstream_idle",
    ),
    (
        &["http2_*", "http3*", "quic_*"],
        Class::Differs,
        "HTTP/2 has the proxy's own bounds ([limits] streams_per_connection); HTTP/3 is not served",
    ),
    (
        &["real_ip_recursive"],
        Class::Differs,
        "the chain of addresses is always walked from the right to the first that is not trusted, as with `on`",
    ),
];

/// What is told of a directive by its name.
pub(super) fn told(name: &str) -> Option<(Class, &'static str)> {
    let is = |known: &&str| match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *known,
    };
    let row = TOLD.iter().find(|(names, _, _)| names.iter().any(is))?;
    Some((row.1, row.2))
}

/// Blocks that are told of as a whole, with all that stands in them.
pub(super) fn told_as_a_whole(name: &str) -> Option<&'static str> {
    match name {
        "stream" | "mail" => {
            Some("the proxy speaks HTTP alone: leave an nginx for this, or another proxy of connections")
        }
        "limit_except" => Some(CLOSED),
        "types" => Some("about files that nginx reads itself, of which there are none"),
        "geo" | "perl" => Some("no rule of the proxy depends on this"),
        name if name.ends_with("_by_lua_block") => {
            Some("the proxy runs no programs: let the application do it, or Tomcat's valves and filters")
        }
        _ => None,
    }
}
