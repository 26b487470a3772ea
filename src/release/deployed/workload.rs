//! What Kubernetes objects run, by their kind: one list, for manifests and for what an API server asks about.
//!
//! In: an `apiVersion` and a `kind`. Out: whether such an object runs Pods, whether it may take them from another
//! object, and which of its members are data. Beside them, the members that an image stands in.
//!
//! Specs: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/>,
//! <https://argo-rollouts.readthedocs.io/en/stable/features/specification/> (`workloadRef`).

/// Members that hold an image or lead to one, at any depth.
pub(crate) const OF_IMAGES: [&str; 4] = ["containers", "initContainers", "ephemeralContainers", "image"];

/// Lists of containers, and what one in it is called.
pub(crate) const CONTAINERS: [(&str, &str); 3] = [
    ("containers", "container"),
    ("initContainers", "init container"),
    ("ephemeralContainers", "ephemeral container"),
];

/// Mappings from text to text, where `image` is a label like any other.
pub(crate) const LABELS: [&str; 5] = ["labels", "annotations", "matchLabels", "selector", "nodeSelector"];

/// The API group; none is the core one.
pub(crate) fn group_of(api: &str) -> &str {
    api.split_once('/').map_or("", |(group, _)| group)
}

/// Members whose content is data, of these kinds alone.
pub(crate) fn data_of(api: &str, kind: &str) -> &'static [&'static str] {
    match (api, kind) {
        ("v1", "ConfigMap" | "Secret") => &["data", "binaryData", "stringData"],
        (api, "CustomResourceDefinition") if group_of(api) == "apiextensions.k8s.io" => &["spec"],
        _ => &[],
    }
}

/// Whether Pods are made of this, so that it can't do without containers. Other groups have kinds of the
/// same names that bear theirs elsewhere.
pub(crate) fn runs_pods(api: &str, kind: &str) -> bool {
    matches!(
        (group_of(api), kind),
        ("", "Pod" | "ReplicationController" | "PodTemplate")
            | ("apps" | "extensions", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
            | ("batch", "Job" | "CronJob")
            | ("argoproj.io", "Rollout")
    )
}

/// Whether this may take its Pods from the object that its `spec.workloadRef` names. To every other kind
/// the member means nothing, and excuses no lack of containers.
pub(crate) fn borrows_pods(api: &str, kind: &str) -> bool {
    (group_of(api), kind) == ("argoproj.io", "Rollout")
}
