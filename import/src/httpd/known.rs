//! Directives that need no thought: what is told of each is one sentence.
//!
//! Invariant: a word that stands in no list here and in no rule elsewhere is told of by nobody, so that the report finds it.

use crate::report::{Class, Report};

use super::guards;
use super::tree::Directive;

/// Words that have one sentence: what becomes of them, they, and the sentence.
const KNOWN: &[(Class, &str, &str)] = &[
    (
        Class::Same,
        "loadmodule addmodule clearmodulelist jkshmfile jkshmsize jkwatchdoginterval",
        "not needed: what the proxy does is all in it",
    ),
    (
        Class::Same,
        "serverroot pidfile mutex lockfile scoreboardfile user group defaultruntimedir servertokens \
         serversignature hostnamelookups usecanonicalname usecanonicalphysicalport namevirtualhost \
         extendedstatus proxystatus serveradmin traceenable coredumpdirectory enablesendfile enablemmap",
        "about httpd itself, and needs nothing in its place",
    ),
    (
        Class::Same,
        "proxyrequests",
        "the proxy serves its routes and nobody else's, as with Off",
    ),
    (
        Class::Same,
        "sslproxyengine proxypassinherit balancerinherit jkmountcopy sslinsecurerenegotiation sslcompression",
        "so it is",
    ),
    (
        Class::Same,
        "order",
        "says nothing by itself: what is allowed and denied has lines of its own",
    ),
    (
        Class::Differs,
        "errorlog loglevel customlog transferlog logformat jklogfile jkloglevel jklogstampformat \
         jkrequestlogformat errorlogformat globallog forensiclog",
        "the proxy's own log goes to standard error and its access log to standard output, in httpd's \
         combined format with the proxy's decisions behind; `access_log` names a file (docs/log.md)",
    ),
    (
        Class::Differs,
        "startservers minspareservers maxspareservers minsparethreads maxsparethreads threadsperchild \
         serverlimit threadlimit maxconnectionsperchild maxrequestsperchild maxrequestworkers maxclients \
         asyncrequestworkerfactor listenbacklog",
        "clients take no thread each: `limits.connections` bounds them, 10,000 unless told otherwise",
    ),
    (
        Class::Differs,
        "keepalive maxkeepaliverequests",
        "connections of clients are kept for `limits.client_idle`, whatever they carried",
    ),
    (
        Class::Differs,
        "sslciphersuite sslhonorcipherorder sslproxyciphersuite sslopensslconfcmd ssldhparametersfile \
         sslproxyprotocol sslsessiontickets",
        "TLS 1.2 and 1.3 are spoken with the modern suites alone, and with no list of one's own",
    ),
    (
        Class::Same,
        "sslsessioncache sslsessioncachetimeout sslrandomseed sslcryptodevice sslmutex sslpassphrasedialog \
         sslproxymachinecertificatechainfile ssloptions",
        "not needed: the proxy keeps that itself. Keys have no pass phrase",
    ),
    (
        Class::Differs,
        "sslusestapling sslstaplingcache sslstaplingrespondertimeout sslstaplingreturnrespondererrors \
         sslcarevocationfile sslcarevocationpath sslcarevocationcheck",
        "no answers of OCSP are stapled and no lists of revocation are read: certificates that live short \
         need neither",
    ),
    (
        Class::Differs,
        "sslproxyverify sslproxycheckpeername sslproxycheckpeercn sslproxycheckpeerexpire sslproxyverifydepth \
         sslproxycacertificatepath",
        "certificates of members are verified, always: `tls.authority` names who issued them, `tls.name` the \
         name that they have",
    ),
    (
        Class::Differs,
        "proxyaddheaders",
        "the proxy says X-Forwarded-For, -Proto, -Host and -Port, always; what clients say there is dropped \
         unless they are in `trust`",
    ),
    (
        Class::Differs,
        "proxyvia",
        "requests and answers bear the proxy's own Via",
    ),
    (
        Class::Differs,
        "proxyerroroverride errordocument",
        "pages of an application pass as they are; `[pages]` names files for what the proxy answers itself \
         (docs/pages.md)",
    ),
    (
        Class::Differs,
        "proxyiobuffersize proxyreceivebuffersize proxybadheader proxymaxforwards proxysourceaddress \
         proxypassinterpolateenv proxy100continue balancerpersist proxyhctpsize proxydomain \
         proxyftpdircharset limitrequestfieldsize sslverifydepth ssluserenegotiate",
        "has no key of its own: what is usual holds (docs/proxy.md)",
    ),
    (
        Class::Unsupported,
        "documentroot alias aliasmatch scriptalias scriptaliasmatch directoryindex options allowoverride \
         accessfilename indexoptions fallbackresource userdir followsymlinks fileetag indexignore headername \
         readmename addicon addiconbytype addiconbyencoding defaulticon",
        "the proxy serves no files: put them into the application, or leave a server for them in front",
    ),
    (
        Class::Unsupported,
        "addtype addhandler addencoding addoutputfilter addoutputfilterbytype setoutputfilter setinputfilter \
         addcharset adddefaultcharset typesconfig mimemagicfile deflatecompressionlevel deflatefilternote \
         browsermatch setenvif setenvifnocase setenv unsetenv passenv expiresactive expiresbytype \
         expiresdefault filterdeclare filterprovider filterchain substitute proxyhtmlenable proxyhtmlurlmap \
         proxyhtmlextended proxyhtmlcharsetout proxyhtmllinks proxyhtmlevents deflatememlevel \
         deflatewindowsize brotlicompressionquality addlanguage languagepriority forcelanguagepriority \
         forcetype sethandler action",
        "the proxy changes no content: Tomcat compresses with `compression=\"on\"` at its connector, and \
         types and filters are the application's",
    ),
    (
        Class::Unsupported,
        "require allow deny satisfy authtype authname authuserfile authgroupfile authbasicprovider authldapurl \
         authldapbinddn authldapbindpassword authmerging sslrequire sslrequiressl authzproviderrequire \
         authdigestprovider",
        "nobody is asked who he is, and nobody refused by his address: let Tomcat do that (its \
         RemoteAddrValve and its realms), or a firewall",
    ),
    (
        Class::Unsupported,
        "secruleengine secrule secaction secrequestbodyaccess secresponsebodyaccess secdatadir secauditlog \
         secauditengine secruleremovebyid secrequestbodylimit secdefaultaction secdebuglog evasiveenabled \
         doshashtablesize dospagecount dossitecount dosblockingperiod qs_srvmaxconnperip qs_clientmaxentries",
        "the proxy is strict about HTTP and looks at no content: leave such a filter in front, and tell the \
         proxy of it in `trust`",
    ),
    (
        Class::Unsupported,
        "limitrequestbody",
        "bodies have no bound here: Tomcat's maxPostSize and maxSwallowSize bound them",
    ),
    (
        Class::Unsupported,
        "cacheenable cacheroot cachedisable cachequickhandler cachelock cachedefaultexpire cachemaxfilesize \
         cachesocache cachedirlevels cachedirlength cacheignorenolastmod cacheignorecachecontrol",
        "nothing is cached: leave a cache in front, and tell the proxy of it in `trust`",
    ),
    (
        Class::Unsupported,
        "proxyremote proxyremotematch noproxy proxyblock",
        "members are reached directly, over no other proxy",
    ),
    (
        Class::Unsupported,
        "use undefmacro",
        "macros are not put in: import what `httpd -t -D DUMP_CONFIG` prints, where they are",
    ),
    (
        Class::Unsupported,
        "proxypassreversecookiedomain",
        "a cookie's Domain that names a member is mapped back by itself; any other passes as the application \
         wrote it",
    ),
];

/// Sections of which nothing is taken, and what to do.
const SECTIONS: &[(&str, &str)] = &[
    (
        "<directory",
        "the proxy serves no files: what is said of a directory has no place here",
    ),
    (
        "<directorymatch",
        "the proxy serves no files: what is said of a directory has no place here",
    ),
    (
        "<files",
        "the proxy serves no files: what is said of files has no place here",
    ),
    (
        "<filesmatch",
        "the proxy serves no files: what is said of files has no place here",
    ),
    (
        "<if",
        "conditions on a request are not known: let the application decide",
    ),
    (
        "<elseif",
        "conditions on a request are not known: let the application decide",
    ),
    (
        "<else",
        "conditions on a request are not known: let the application decide",
    ),
    (
        "<limit",
        "what is said of a method has no place here: let Tomcat decide",
    ),
    (
        "<limitexcept",
        "what is said of a method has no place here: let Tomcat decide",
    ),
    (
        "<macro",
        "macros are not put in: import what `httpd -t -D DUMP_CONFIG` prints, where they are",
    ),
    (
        "<proxymatch",
        "a pool has a name and no expression: write what stands in it at each",
    ),
    (
        "<requireall",
        "nobody is refused by his address: let Tomcat do that (its RemoteAddrValve), or a firewall",
    ),
    (
        "<requireany",
        "nobody is refused by his address: let Tomcat do that (its RemoteAddrValve), or a firewall",
    ),
    (
        "<requirenone",
        "nobody is refused by his address: let Tomcat do that (its RemoteAddrValve), or a firewall",
    ),
];

/// Tells of a directive, if it is one that has a sentence; whether it is.
pub(super) fn tell(statement: &Directive, report: &mut Report) -> bool {
    if guards::grants(statement) {
        report.same(&statement.line, "everybody is served");
        return true;
    }
    if statement.name == "proxyrequests" && statement.word(0).eq_ignore_ascii_case("on") {
        report.unsupported(
            &statement.line,
            "the proxy serves its routes alone: it is no way out to other sites",
        );
        return true;
    }
    if let Some((_, why)) = SECTIONS.iter().find(|(name, _)| *name == statement.name) {
        report.unsupported(&statement.line, *why);
        for inner in statement.inner.iter().flat_map(Directive::all) {
            report.unsupported(&inner.line, format!("in {}: {why}", statement.line.text));
        }
        return true;
    }
    let known = KNOWN
        .iter()
        .find(|(_, words, _)| words.split_whitespace().any(|word| word == statement.name));
    if let Some((class, _, why)) = known {
        report.as_table(*class, &statement.line, why);
    }
    known.is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_word_has_one_sentence_and_stands_there_in_small_letters() {
        let mut seen = BTreeSet::new();
        for word in KNOWN.iter().flat_map(|(_, words, _)| words.split_whitespace()) {
            assert!(seen.insert(word), "{word} stands there twice");
            assert_eq!(word.to_ascii_lowercase(), word);
        }
    }
}
