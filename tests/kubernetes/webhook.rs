//! The webhook, registered as `deploy/k8s/webhook.yaml` has it: a real API server asks a real `laforge runtime`, which
//! runs as its Pod would ([`super::pods`]), about what kubectl and the cluster's own controllers do.
//!
//! Nothing routes a Service's address here: it is an address of the namespace's loopback, and what comes there is
//! handed on to the Pod's port.

mod ways;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::chart::deploy;
use super::control_plane::ControlPlane;
use super::manifests;
use super::namespace::within;
use super::nodes;
use super::parts::{Parts, tell};
use super::pods::{self, Volumes};
use super::released::Released;
use super::service::ask;

/// An address of the range that Services have by default.
const SERVICE: &str = "10.0.0.10";
const REFUSED: &str = "admission webhook \"admission.laforge.dev\" denied the request: laforge: ";

/// A cluster whose webhook is on, and the runtime that it asks.
struct Site<'a> {
    plane: ControlPlane<'a>,
    released: Released,
    volumes: Volumes,
    runtime: Option<Child>,
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<'a> Site<'a> {
    fn start(parts: &'a Parts) -> Self {
        let mut plane = ControlPlane::start(parts);
        nodes::start(&mut plane, parts);
        let released = Released::new();
        let authority = certificate(&plane);
        let mut site = Self { volumes: volumes(&released, &plane), plane, released, runtime: None };
        site.serve();
        hand_on();
        // From before there was a webhook.
        site.plane.kubectl_ok(&[
            "-n",
            "default",
            "create",
            "deployment",
            "old",
            "--image=registry.example/old:1",
        ]);
        site.register(&authority);
        site.plane.kubectl_ok(&["create", "namespace", "payments"]);
        site.plane.kubectl_ok(&[
            "-n",
            "payments",
            "wait",
            "--for=create",
            "serviceaccount/default",
            "--timeout=60s",
        ]);
        site
    }

    /// The runtime's Pod, once it is ready.
    fn serve(&mut self) {
        let said = std::fs::File::create(self.plane.path("runtime.log")).unwrap();
        let mut command = pods::command(&pods::spec("runtime", "Deployment"), &self.volumes);
        command.stdout(said.try_clone().unwrap()).stderr(said);
        self.runtime = Some(command.spawn().unwrap());
        let is_ready = |plane: &ControlPlane<'_>| {
            let ready = ask(9090, "/readyz").is_ok_and(|answer| answer.status == 200);
            let said = plane.said("runtime");
            assert!(ready || !said.contains("error: "), "{said}");
            ready
        };
        self.plane.wait("the runtime", is_ready);
    }

    /// Ends it as a crash would.
    fn end(&mut self) {
        if let Some(mut runtime) = self.runtime.take() {
            runtime.kill().unwrap();
            runtime.wait().unwrap();
        }
    }

    /// The Service and the webhook, as they are shipped, but for the address and the authority.
    fn register(&self, authority: &str) {
        let of = |file: &str, kind: &str| {
            let objects = manifests::documents(&deploy(&format!("k8s/{file}.yaml")));
            objects.into_iter().find(|object| object["kind"] == kind).unwrap()
        };
        let mut service = of("runtime", "Service");
        service["spec"]["clusterIP"] = json!(SERVICE);
        service["metadata"]["namespace"] = json!("laforge");
        let mut webhook = of("webhook", "ValidatingWebhookConfiguration");
        webhook["webhooks"][0]["clientConfig"]["caBundle"] = json!(authority);
        for object in [service, webhook] {
            let apply = ["apply", "--server-side", "--validate=strict", "-f", "-"];
            self.plane.kubectl_with(&apply, &object.to_string()).unwrap();
        }
        // It is in force when something is refused that nothing else refuses.
        let probe = ["-n", "default", "create", "deployment", "probe", "--image=x:1", "--dry-run=server"];
        self.plane.wait("the webhook", |plane| !plane.kubectl(&probe).status.success());
    }

    fn deployment(&self, name: &str, image: &str, more: &[&str]) -> Result<String, String> {
        let image = format!("--image={image}");
        let create = ["-n", "payments", "create", "deployment", name, &image];
        let output = self.plane.kubectl(&[&create[..], more].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn approved(&self) -> String {
        format!("registry.example/payments@sha256:{}", self.released.digest)
    }
}

/// The Service's certificate, of an authority of its own; the authority in base64.
fn certificate(plane: &ControlPlane<'_>) -> String {
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).current_dir(plane.path("")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        made.stdout
    };
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
    let authority = ["-subj", "/CN=laforge", "-keyout", "hook-ca.key", "-out", "hook-ca.crt"];
    openssl(&[&request[..], &authority].concat());
    let service =
        ["-subj", "/CN=laforge-runtime", "-addext", "subjectAltName=DNS:laforge-runtime.laforge.svc"];
    let of = ["-addext", "basicConstraints=critical,CA:FALSE", "-CA", "hook-ca.crt", "-CAkey", "hook-ca.key"];
    openssl(&[&request[..], &service, &of, &["-keyout", "hook.key", "-out", "hook.crt"]].concat());
    let encoded = openssl(&["base64", "-A", "-in", "hook-ca.crt"]);
    String::from_utf8(encoded).unwrap().trim().to_owned()
}

/// What the Pod mounts: the gate's files, its log with what it allowed, the certificate.
fn volumes(released: &Released, plane: &ControlPlane<'_>) -> Volumes {
    let mut volumes = Volumes::new();
    let config = released.read("laforge.yaml");
    let audit = config.lines().find(|line| line.starts_with("audit:")).unwrap();
    let audit = audit
        .replace(".laforge/audit,", "/var/lib/laforge/audit,")
        .replace("file:.laforge/audit.key", "file:/keys/gate.key");
    let config = format!(
        "apiVersion: laforge.dev/v1\nkind: Config\ntrust: trust.yaml\npolicies: [{{path: baseline.yaml}}]\n{audit}\n\
         service: {{admission: {{environment: production}}}}\n"
    );
    let names = ["alice", "audit", "bob", "ci", "release"].map(|name| format!("{name}.pub"));
    let keys = names.each_ref().map(|name| released.read(&format!("trust/{name}")));
    let trust = released.read("trust.yaml").replace("trust/", "");
    let policy = released.read("policies/baseline.yaml");
    let mut files = vec![
        ("laforge.yaml", config.as_str()),
        ("trust.yaml", trust.as_str()),
        ("baseline.yaml", policy.as_str()),
    ];
    files.extend(names.iter().zip(&keys).map(|(name, key)| (name.as_str(), key.as_str())));
    volumes.files("config", &files, 0o644);
    volumes.files("key", &[("gate.key", released.read(".laforge/audit.key").as_str())], 0o440);
    let read = |name: &str| std::fs::read_to_string(plane.path(name)).unwrap();
    volumes.files(
        "tls",
        &[("tls.crt", read("hook.crt").as_str()), ("tls.key", read("hook.key").as_str())],
        0o440,
    );
    let log = volumes.writable("log");
    let copied =
        Command::new("cp").arg("-r").arg(released.path().join(".laforge/audit")).arg(&log).status().unwrap();
    let owned = Command::new("chown").args(["-R", "10001:10001"]).arg(&log).status().unwrap();
    assert!(copied.success() && owned.success());
    volumes.writable("tmp");
    volumes
}

/// In the place of a node's proxy: what comes to the Service goes to the Pod.
fn hand_on() {
    let added =
        Command::new("ip").args(["address", "add", &format!("{SERVICE}/32"), "dev", "lo"]).status().unwrap();
    assert!(added.success());
    let listener = TcpListener::bind((SERVICE, 443)).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A Pod that is gone refuses, and so does its Service.
            let Ok(pod) = TcpStream::connect(("127.0.0.1", 8443)) else { continue };
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), pod.try_clone().unwrap()), (pod.try_clone().unwrap(), client)]
            {
                thread::spawn(move || {
                    let mut bytes = [0; 16384];
                    while let Ok(read @ 1..) = from.read(&mut bytes) {
                        if to.write_all(&bytes[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
}

#[test]
fn what_the_log_allows_is_admitted_and_all_else_is_refused_with_the_reason() {
    within("webhook::what_the_log_allows_is_admitted_and_all_else_is_refused_with_the_reason", |parts| {
        let mut site = Site::start(parts);
        let approved = site.approved();
        assert_eq!(site.deployment("app", &approved, &[]).unwrap(), "deployment.apps/app created");
        for (image, why) in [
            (
                format!("registry.example/payments@sha256:{}", "1".repeat(64)),
                "the log holds no allow of image",
            ),
            ("registry.example/payments:2.4.0".to_owned(), "is pinned by no digest"),
        ] {
            let said = site.deployment("other", &image, &[]).unwrap_err();
            tell(&format!("$ kubectl create deployment other --image={image}\n{said}\n"));
            assert!(said.contains(REFUSED) && said.contains(why), "{said}");
        }
        is_asked_about_what_somebody_changes(&site);
        ways::every_kind_that_a_pod_is_made_of(&site);
        ways::the_revision_that_a_set_goes_back_to(&site);
        ways::a_tag_that_was_there_before(&site);
        latency(&site);

        site.end();
        let said = site.deployment("late", &approved, &[]).unwrap_err();
        tell(&format!("the runtime is down: {said}\n"));
        assert!(said.contains("failed calling webhook \"admission.laforge.dev\""), "{said}");
        // What is admitted already comes back, and can be scaled, whoever answers.
        let pods =
            || site.plane.kubectl_ok(&["-n", "payments", "get", "pods", "-l", "app=app", "-o", "name"]);
        let before = pods();
        site.plane.kubectl_ok(&["-n", "payments", "delete", "pod", "-l", "app=app"]);
        site.plane.kubectl_ok(&["-n", "payments", "scale", "deployment/app", "--replicas=2"]);
        site.plane.wait("two other Pods", |_| {
            let now = pods();
            now.lines().count() == 2 && now.lines().all(|pod| !before.contains(pod))
        });
        site.serve();
        assert_eq!(site.deployment("late", &approved, &[]).unwrap(), "deployment.apps/late created");
    });
}

/// Each way in which a Pod comes to run another image.
fn is_asked_about_what_somebody_changes(site: &Site<'_>) {
    let other = format!("registry.example/other@sha256:{}", "2".repeat(64));
    let refused = |arguments: &[&str]| {
        let output = site.plane.kubectl(&[&["-n", "payments"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("the log holds no allow of image"),
            "{arguments:?}: {said}"
        );
    };
    let image = format!("--image={other}");
    refused(&["set", "image", "deployment/app", &format!("payments={other}")]);
    refused(&["run", "pod", &image]);
    refused(&["create", "job", "job", &image]);
    refused(&["create", "cronjob", "cronjob", &image, "--schedule=* * * * *"]);
    site.plane.kubectl_ok(&["-n", "payments", "run", "pod", &format!("--image={}", site.approved())]);
    refused(&["debug", "pod", &image, "--container=d"]);
    // Neither a scale nor a label is.
    site.plane.kubectl_ok(&["-n", "payments", "scale", "deployment/app", "--replicas=1"]);
    site.plane.kubectl_ok(&["-n", "payments", "label", "deployment/app", "team=payments"]);
    // Its own namespace and the cluster's are exempt; all others are not.
    let create = ["create", "deployment", "x", &image];
    for (namespace, is_exempt) in [("laforge", true), ("kube-system", true), ("default", false)] {
        let output = site.plane.kubectl(&[&["-n", namespace], &create[..]].concat());
        assert_eq!(
            output.status.success(),
            is_exempt,
            "{namespace}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// What the API server itself has measured of the webhook, after some more questions.
fn latency(site: &Site<'_>) {
    const ASKED: usize = 100;
    let began = Instant::now();
    for at in 0..ASKED {
        site.deployment(&format!("dry-{at}"), &site.approved(), &["--dry-run=server"]).unwrap();
    }
    let metrics = site.plane.kubectl_ok(&["get", "--raw", "/metrics"]);
    let name = "apiserver_admission_webhook_admission_duration_seconds";
    let lines =
        metrics.lines().filter(|line| line.starts_with(name) && line.contains("admission.laforge.dev"));
    let mut sum = 0.0;
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for line in lines {
        let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        if line.contains("_sum{") {
            sum += value;
        } else if let Some((_, rest)) = line.split_once("le=\"") {
            let bound = rest.split('"').next().unwrap().parse().unwrap_or(f64::INFINITY);
            match buckets.iter_mut().find(|(le, _)| *le == bound) {
                Some((_, count)) => *count += value,
                None => buckets.push((bound, value)),
            }
        }
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = buckets.last().unwrap().1;
    let within = |share: f64| buckets.iter().find(|(_, count)| *count >= share * all).unwrap().0;
    tell(&format!(
        "admission: {all} questions, mean {:.1} ms, p50 within {} s, p99 within {} s (the API server's own buckets; \
         {ASKED} by kubectl in {:.1} s)\n",
        sum / all * 1000.0,
        within(0.5),
        within(0.99),
        began.elapsed().as_secs_f64()
    ));
    assert!(all >= ASKED as f64, "{all}");
    let patience = Duration::from_secs(5);
    assert!(within(0.99) <= patience.as_secs_f64(), "{buckets:?}");
}
