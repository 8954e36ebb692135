//! What every container of ours keeps to: what Kubernetes calls restricted, a bound for its memory, and files that it cannot
//! change.

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::Manifests;

/// What is missing, by pod.
pub(super) fn guards(manifests: &Manifests) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, _, pod) in manifests.pod_kinds() {
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{name}: {what}"));
            }
        };
        expect(
            pod.automount_service_account_token == Some(false),
            "it is handed a token that it has no use for",
        );
        expect(
            pod.enable_service_links == Some(false),
            "it is handed variables that it has no use for",
        );
        expect(
            pod.termination_grace_period_seconds.is_some(),
            "how long it may take to end is not said",
        );
        expect(is_restricted(pod), "it does not run restricted");
        for container in &pod.containers {
            expect(
                is_locked(container),
                "a container can change its image or gain rights",
            );
            let limits = container.resources.as_ref().and_then(|it| it.limits.as_ref());
            expect(
                limits.is_some_and(|it| it.contains_key("memory")),
                "a container has no bound of memory",
            );
            expect(
                limits.is_none_or(|it| !it.contains_key("cpu")),
                "a container is throttled",
            );
            let requests = container.resources.as_ref().and_then(|it| it.requests.as_ref());
            expect(
                requests.is_some_and(|it| it.contains_key("cpu")),
                "a container asks for no processor",
            );
        }
        let secrets = pod
            .volumes
            .iter()
            .flatten()
            .filter_map(|volume| volume.secret.as_ref());
        for secret in secrets {
            // Others than the user and its group have no business there.
            expect(
                secret.default_mode.is_some_and(|mode| mode & 0o007 == 0),
                "all the world reads a secret",
            );
        }
    }
    faults
}

fn is_restricted(pod: &PodSpec) -> bool {
    pod.security_context.as_ref().is_some_and(|it| {
        let profile = it.seccomp_profile.as_ref().map(|profile| profile.type_.as_str());
        it.run_as_non_root == Some(true)
            && it.run_as_user.is_some_and(|user| user > 0)
            && it.fs_group.is_some()
            && profile == Some("RuntimeDefault")
    })
}

fn is_locked(container: &Container) -> bool {
    container.security_context.as_ref().is_some_and(|it| {
        let dropped = it.capabilities.as_ref().and_then(|it| it.drop.clone());
        it.allow_privilege_escalation == Some(false)
            && it.read_only_root_filesystem == Some(true)
            && dropped.is_some_and(|dropped| dropped == ["ALL"])
    })
}
