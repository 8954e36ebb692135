//! The base directory of one Tomcat instance.

use std::path::Path;

use anyhow::{Context, Result};

use super::distribution::{Version, prepare, war};
use super::{Member, Replication, TomcatPlan};
use crate::place;

/// Users, in Tomcat's own user database: (name, password). Each is a customer of the shop, and a `tomcat`, which is whom
/// Tomcat's own examples let in.
/// The last one's password stands on no page of ours.
pub(super) const USERS: [(&str, &str); 4] = [
    ("ada", "lovelace"),
    ("grace", "hopper"),
    ("alan", "turing"),
    ("mary", "known-to-mary-alone"),
];

/// What Tomcat reads before anything else: its default with the scan of jars switched off.
const CATALINA_PROPERTIES: &str = r#"package.access=sun.,org.apache.catalina.,org.apache.coyote.,org.apache.jasper.,org.apache.naming.,org.apache.tomcat.
package.definition=sun.,java.,org.apache.catalina.,org.apache.coyote.,org.apache.jasper.,org.apache.naming.,org.apache.tomcat.
server.loader=
shared.loader=
tomcat.util.scan.StandardJarScanFilter.jarsToSkip=*.jar
"#;

/// Where a distribution's jars and ours lie.
const COMMON_LOADER: &str = r#"common.loader="${catalina.base}/lib","${catalina.base}/lib/*.jar","${catalina.home}/lib","${catalina.home}/lib/*.jar"
"#;

const LOGGING_PROPERTIES: &str = "handlers = java.util.logging.ConsoleHandler
.handlers = java.util.logging.ConsoleHandler
java.util.logging.ConsoleHandler.level = FINE
java.util.logging.ConsoleHandler.formatter = org.apache.juli.OneLineFormatter
java.util.logging.ConsoleHandler.encoding = UTF-8
";

/// As Tomcat's documentation of proxies recommends it, with all that it can be told.
const FRONT_VALVE: &str = "  <Valve className=\"org.apache.catalina.valves.RemoteIpValve\" protocolHeader=\"X-Forwarded-Proto\" \
                           hostHeader=\"X-Forwarded-Host\" portHeader=\"X-Forwarded-Port\"/>\n";

/// Writes everything that `catalina.sh run` needs.
///
/// # Errors
/// When the jar is not built or a file cannot be written.
pub(super) fn write_base(base: &Path, plan: &TomcatPlan, jar: Option<&Path>) -> Result<()> {
    prepare(plan.version)?;
    let of_line = prepare(plan.version.line())?;
    for directory in ["conf", "lib", "logs", "temp", "webapps", "work"] {
        std::fs::create_dir_all(base.join(directory))?;
    }
    if plan.store.is_some() {
        let jar = jar.map_or_else(place::adapter_jar, |jar| Ok(jar.to_owned()));
        copy(&jar?, &base.join("lib/remora-tomcat.jar"))?;
    }
    if let Some(Replication::Foreign(foreign)) = &plan.replication {
        for jar in &foreign.jars {
            let name = jar.file_name().context("a jar has a name")?;
            copy(jar, &base.join("lib").join(name))?;
        }
        if let Some((name, text)) = &foreign.file {
            write(&base.join("conf").join(name), text)?;
        }
    }
    copy(&of_line.join("conf/web.xml"), &base.join("conf/web.xml"))?;
    write(
        &base.join("conf/catalina.properties"),
        &catalina_properties(plan.version),
    )?;
    write(&base.join("conf/logging.properties"), LOGGING_PROPERTIES)?;
    write(&base.join("conf/tomcat-users.xml"), &users())?;
    write(&base.join("conf/server.xml"), &server(plan))?;
    write(&base.join("conf/context.xml"), &context(plan))?;
    for application in &plan.applications {
        copy(
            &war(*application, plan.version)?,
            &base.join(format!("webapps/{}.war", application.name())),
        )?;
    }
    Ok(())
}

fn catalina_properties(version: Version) -> String {
    let loader = match version {
        Version::Embedded(_) => "common.loader=\n",
        Version::V9 | Version::V10 | Version::V11 => COMMON_LOADER,
    };
    format!("{CATALINA_PROPERTIES}{loader}")
}

fn users() -> String {
    let user = |(name, password): &(&str, &str)| {
        format!("  <user username=\"{name}\" password=\"{password}\" roles=\"customer,tomcat\"/>\n")
    };
    let users: String = USERS.iter().map(user).collect();
    format!(
        "<tomcat-users>\n  <role rolename=\"customer\"/>\n  <role rolename=\"tomcat\"/>\n{users}</tomcat-users>\n"
    )
}

fn server(plan: &TomcatPlan) -> String {
    let route = if plan.jvm_route {
        format!(" jvmRoute=\"{}\"", plan.node)
    } else {
        String::new()
    };
    format!(
        r#"<Server port="-1">
  <Listener className="org.apache.catalina.mbeans.GlobalResourcesLifecycleListener"/>
  <GlobalNamingResources>
    <Resource name="UserDatabase" auth="Container" type="org.apache.catalina.UserDatabase"
              factory="org.apache.catalina.users.MemoryUserDatabaseFactory" pathname="conf/tomcat-users.xml"/>
  </GlobalNamingResources>
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" protocol="HTTP/1.1" maxThreads="${{connector.threads}}" minSpareThreads="2"/>
    <Engine name="Catalina" defaultHost="localhost"{route}>
{cluster}      <Realm className="org.apache.catalina.realm.LockOutRealm">
        <Realm className="org.apache.catalina.realm.UserDatabaseRealm" resourceName="UserDatabase"/>
      </Realm>
      <Host name="localhost" appBase="webapps" unpackWARs="true" autoDeploy="false" startStopThreads="2"/>
    </Engine>
  </Service>
</Server>
"#,
        port = plan.port,
        cluster = match &plan.replication {
            Some(Replication::Cluster(member)) => cluster(*member),
            Some(Replication::Foreign(_)) | None => String::new(),
        },
    )
}

/// What Tomcat's own guide to clusters shows, but for members that are named instead of found by multicast.
fn cluster(
    Member {
        own,
        peer,
        acknowledged,
    }: Member,
) -> String {
    let member = |element: &str, port: u16| {
        let [high, low] = port.to_be_bytes();
        format!(
            "            <{element} className=\"org.apache.catalina.tribes.membership.StaticMember\" host=\"127.0.0.1\" \
             port=\"{port}\" uniqueId=\"{{0,0,0,0,0,0,0,0,0,0,0,0,0,0,{high},{low}}}\"/>\n",
            high = i8::from_be_bytes([high]),
            low = i8::from_be_bytes([low]),
        )
    };
    format!(
        r#"      <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"{options}>
        <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
        <Channel className="org.apache.catalina.tribes.group.GroupChannel">
          <Membership className="org.apache.catalina.tribes.membership.StaticMembershipService">
{}{}          </Membership>
          <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="{own}"/>
          <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
          <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
        </Channel>
        <Valve className="org.apache.catalina.ha.tcp.ReplicationValve" filter=""/>
        <Valve className="org.apache.catalina.ha.session.JvmRouteBinderValve"/>
        <ClusterListener className="org.apache.catalina.ha.session.ClusterSessionListener"/>
      </Cluster>
"#,
        member("LocalMember", own),
        member("Member", peer),
        options = if acknowledged {
            " channelSendOptions=\"6\""
        } else {
            ""
        },
    )
}

fn context(plan: &TomcatPlan) -> String {
    let (attribute, valve) = if plan.behind_front {
        (" useRelativeRedirects=\"false\"", FRONT_VALVE)
    } else {
        ("", "")
    };
    if let Some(Replication::Foreign(foreign)) = &plan.replication {
        return format!("<Context{attribute}>\n{valve}{}\n</Context>\n", foreign.line);
    }
    let Some(store) = &plan.store else {
        return format!("<Context{attribute}>\n{valve}</Context>\n");
    };
    let mut attributes = format!("store=\"{store}\"");
    for (name, value) in &plan.manager {
        attributes.push_str(&format!(" {name}=\"{value}\""));
    }
    format!(
        "<Context{attribute}>\n{valve}  <Manager className=\"remora.tomcat.RemoraManager\" {attributes}/>\n</Context>\n"
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
