//! What makes Pods of a Deployment and lets them run, beside a control plane: its controllers, its scheduler, and kwok
//! in the place of nodes. No container runs: kwok says that every Pod is ready.

use std::process::Command;

use super::control_plane::ControlPlane;
use super::parts::Parts;

const NODE: &str = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0",
  "labels": {"kubernetes.io/hostname": "node-0", "type": "kwok"}},
  "status": {"capacity": {"cpu": "32", "memory": "64Gi", "pods": "110"},
             "allocatable": {"cpu": "32", "memory": "64Gi", "pods": "110"}}}"#;

/// Starts them, with one node that is ready.
pub fn start(plane: &mut ControlPlane<'_>, parts: &Parts) {
    let local = ["--bind-address=127.0.0.1", "--secure-port=0", "--leader-elect=false"];
    for (part, token) in [("kube-controller-manager", "kcmtok"), ("kube-scheduler", "schedulertok")] {
        let kubeconfig = plane.kubeconfig_of(&format!("{part}.kubeconfig"), &format!("token: {token}"));
        let mut command: Command = parts.command(part);
        command.arg("--kubeconfig").arg(kubeconfig).args(local);
        if part == "kube-controller-manager" {
            // Each controller under its own name, as a cluster has it: the webhook tells them apart.
            command.arg("--use-service-account-credentials");
            command.arg("--service-account-private-key-file").arg(plane.path("sa.key"));
        }
        plane.run_command(part, command);
    }
    let mut kwok = parts.command("kwok");
    kwok.arg("--kubeconfig").arg(plane.kubeconfig()).arg("--config").arg(parts.path("stages.yaml"));
    kwok.args(["--manage-all-nodes=true", "--node-lease-duration-seconds=40"]);
    plane.run_command("kwok", kwok);
    plane.kubectl_with(&["create", "-f", "-"], NODE).unwrap();
    plane.kubectl_ok(&["wait", "--for=condition=Ready", "node/node-0", "--timeout=60s"]);
}
