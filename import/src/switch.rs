//! What users see at the switch from another proxy, in sentences that readers of its files share.
//!
//! Left out on purpose: when to switch, and how to go back. Whoever keeps the other proxy's file can.

/// The session cookie of Tomcat, as it writes it.
pub(crate) const SESSION: &str = "JSESSIONID";

/// What becomes of users whose cookie names nobody here.
pub(crate) const NEW_ONCE: &str = "at the switch each user is a new one, once, and comes to any Tomcat: with the session store he stays \
                                   logged in whichever that is, and the cookie names it from then on; without the store he is logged out";

/// What becomes of users who stuck by something that is not in their cookies.
pub(crate) const BY_ROUTE: &str = "users stick by the route that their Tomcat writes behind the dot of the session's id: give each its \
                                   jvmRoute before the switch. A session that has none yet goes to the member that its id is hashed to, in \
                                   all proxies the same one; with the session store he stays logged in there, and gets that Tomcat's route";

/// What becomes of users whose session cookie has the server in front of the id.
pub(crate) const PREFIXED: &str = "HAProxy writes the server in front of the id (`NAME~ID`) and takes it away again on the way to the \
                                   Tomcat; here the Tomcat writes it behind (`ID.NAME`). A browser that brings `NAME~ID` after the switch \
                                   has a session that no Tomcat knows: its user is logged out, whatever store there is. So before the \
                                   switch: give each Tomcat its server's name as jvmRoute; then, for as long as a session lives, have \
                                   HAProxy take the prefix away and write none (in place of this line: http-request replace-header Cookie \
                                   ^(.*)JSESSIONID=[^;~]*~(.*)$ \\1JSESSIONID=\\2); with the session manager in the Tomcats each user then \
                                   gets `ID.NAME` with the next click, and notices nothing";

/// In what the proxy's cookie differs from one that does not say so much.
pub(crate) const MARKED: &str = "the cookie says HttpOnly and SameSite=Lax as well, where these are not said, and Secure to whoever came by \
                                 https";

/// A cookie's name as Tomcat writes it, where only the case may differ.
pub(crate) fn session_name(name: &str) -> String {
    if name.eq_ignore_ascii_case(SESSION) {
        SESSION.to_owned()
    } else {
        name.to_owned()
    }
}

/// What is told of a member whose name nobody has written down.
pub(crate) fn named_here(route: &str) -> String {
    format!(
        "it has no name: `{route}` is this importer's. Write jvmRoute=\"{route}\" at the Engine of that Tomcat's server.xml, or the name that \
         stands there into this file"
    )
}
